import { defineCommand } from "../../command.ts";
import { commaList, string } from "../../flags/flag.ts";
import { writeStream } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Write images to an archive",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    output: string("Write to a file instead of standard output", { short: "o" }),
    platform: commaList("Only these platforms: os[/arch[/variant]]"),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { images } = await context.engine();
    await writeStream(context.io, flags.output, images.save(args, { platforms: flags.platform.length === 0 ? undefined : flags.platform, signal: context.signal }));
    return 0;
  },
});
