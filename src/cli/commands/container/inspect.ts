import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { inspectAll } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Print everything about containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { format: inspectFormatFlag("f"), size: bool("Work out sizes too", { short: "s" }) },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    return inspectAll(context, args, flags.format, (name) => containers.inspect(name, { size: flags.size, signal: context.signal }));
  },
});
