import { SampanError } from "../../../base/errors.ts";
import { untilAborted } from "../../../base/until-aborted.ts";
import { defineCommand } from "../../command.ts";
import { bool, commaList, string } from "../../flags/flag.ts";
import { progressOn } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Read images from an archive",
  usage: "[OPTIONS]",
  flags: {
    input: string("Read from a file or an OCI layout's directory instead of standard input", { short: "i" }),
    platform: commaList("Only these platforms: os[/arch[/variant]]"),
    quiet: bool("Do not draw progress", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { io } = context;
    if (flags.input === undefined && io.isTerminal(0))
      throw new SampanError("invalid", "requested load from stdin, but stdin is empty", { hint: "Name a file with -i." });
    const { images } = await context.engine();
    const progress = progressOn(io, 2, flags.quiet || !io.isTerminal(2));
    const loaded = await images.load(flags.input === undefined ? { archive: untilAborted(io.input(), context.signal) } : { path: flags.input }, {
      platforms: flags.platform.length === 0 ? undefined : flags.platform,
      onProgress: progress.onProgress,
      signal: context.signal,
    });
    progress.finish();
    for (const { reference, id } of loaded) io.out(reference === "" ? `Loaded image ID: ${id}\n` : `Loaded image: ${reference}\n`);
    return 0;
  },
});
