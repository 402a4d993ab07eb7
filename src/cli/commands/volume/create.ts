import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { many, string } from "../../flags/flag.ts";
import { pairsToRecord, parseLabel, parsePair } from "../../parse/key-value.ts";
import { isVolumeName } from "../../parse/volume.ts";

export const command = defineCommand({
  summary: "Make a volume",
  usage: "[OPTIONS] [VOLUME]",
  flags: {
    driver: string("How it is kept: local", { short: "d", shownDefault: '"local"' }),
    label: many("list", parseLabel, "Set a label"),
    name: string("Its name", { hidden: true }),
    opt: many("map", parsePair, "Set an option of the driver", { short: "o" }),
  },
  args: { min: 0, max: 1 },
  async run(context, { flags, args }) {
    const [positional] = args;
    if (flags.name !== undefined && positional !== undefined)
      throw new SampanError("invalid", "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
    const name = positional ?? flags.name ?? "";
    if (name !== "" && !isVolumeName(name)) {
      throw new SampanError("invalid", name.length === 1
        ? `create ${name}: volume name is too short, names should be at least two alphanumeric characters`
        : `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
    }
    const { volumes } = await context.engine();
    const volume = await volumes.create(
      { name, driver: flags.driver ?? "local", options: pairsToRecord(flags.opt), labels: pairsToRecord(flags.label) },
      { signal: context.signal },
    );
    context.io.out(`${volume.Name}\n`);
    return 0;
  },
});
