import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { inspectAll } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Print everything about networks",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: { format: inspectFormatFlag("f"), verbose: bool("Accepted for Docker's sake: nothing is left out", { short: "v", hidden: true }) },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { networks } = await context.engine();
    return inspectAll(context, args, flags.format, (name) => networks.inspect(name, { signal: context.signal }));
  },
});
