import { defineCommand } from "../../command.ts";
import { string } from "../../flags/flag.ts";
import { inspectAll } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Print everything about images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: { format: inspectFormatFlag("f"), platform: string("Choose a platform: os[/arch[/variant]]") },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { images } = await context.engine();
    return inspectAll(context, args, flags.format, (name) => images.inspect(name, { platform: flags.platform, signal: context.signal }));
  },
});
