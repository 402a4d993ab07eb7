import { defineCommand } from "../../command.ts";
import { string } from "../../flags/flag.ts";
import { writeStream } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Write a container's root filesystem as a tar archive",
  usage: "[OPTIONS] CONTAINER",
  flags: { output: string("Write to a file instead of standard output", { short: "o" }) },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    await writeStream(context.io, flags.output, containers.export(args[0] ?? "", { signal: context.signal }));
    return 0;
  },
});
