import { defineCommand } from "../../command.ts";
import { inspectAll } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Print everything about volumes",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { format: inspectFormatFlag("f") },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { volumes } = await context.engine();
    return inspectAll(context, args, flags.format, (name) => volumes.inspect(name, { signal: context.signal }));
  },
});
