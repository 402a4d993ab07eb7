import { existsSync, writeFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { defaultConfig, rootlessConfig } from "../default-config.ts";

export const command: Command = {
  summary: "Write a config.json to start from",
  usage: "[--bundle DIR] [--rootless]",
  run(context, words) {
    const flags = parseFlags("spec", words, ["bundle b=", "rootless"]);
    positional("spec", flags, []);
    const file = `${flags.value("bundle") ?? "."}/config.json`;
    if (existsSync(file)) throw new SampanError("already-exists", `Cannot write "${file}": file config.json exists. Remove it first`);
    const unified = context.cgroups.hierarchies.every(({ version }) => version === 2);
    const config = flags.has("rootless") ? rootlessConfig(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, unified) : defaultConfig(unified);
    writeFileSync(file, `${JSON.stringify(config, null, "\t")}\n`, { mode: 0o666 });
    return Promise.resolve(0);
  },
};
