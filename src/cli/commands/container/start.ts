import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool, one } from "../../flags/flag.ts";
import { parseDetachKeys } from "../../parse/signal.ts";
import { forEachName } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Start containers that do not run",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    attach: bool("Stay attached to its output and pass signals on", { short: "a" }),
    interactive: bool("Attach its standard input too", { short: "i" }),
    "detach-keys": one("string", parseDetachKeys, "The keys that leave it running", { shownDefault: '"ctrl-p,ctrl-q"' }),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    if (!flags.attach && !flags.interactive) return forEachName(context, args, (name) => containers.start(name, { signal: context.signal }));
    const [name, another] = args;
    if (name === undefined || another !== undefined) throw new SampanError("invalid", "you cannot start and attach multiple containers at once");
    const { exitCode } = await containers.startAttached(name, {
      streams: { stdin: flags.interactive ? 0 : undefined, stdout: 1, stderr: 2 },
      detachKeys: flags["detach-keys"],
      sigProxy: true,
    });
    return exitCode;
  },
});
