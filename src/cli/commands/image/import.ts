import { untilAborted } from "../../../base/until-aborted.ts";
import { defineCommand } from "../../command.ts";
import { list, string } from "../../flags/flag.ts";
import { progressOn } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Make an image of one layer from a tar archive",
  usage: "[OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]",
  examples: [["tar -C rootfs -c . | sampan import - mine:1", "From a directory"]],
  flags: {
    change: list('Apply an instruction of a Dockerfile: CMD ["sh"]', { short: "c" }),
    message: string("What it is", { short: "m" }),
    platform: string("Its platform: os[/arch[/variant]]"),
  },
  args: { min: 1, max: 2 },
  async run(context, { flags, args }) {
    const { io } = context;
    const [source = "", reference = ""] = args;
    const { images } = await context.engine();
    const progress = progressOn(io, 2, false);
    const { id } = await images.import(
      source === "-" ? { archive: untilAborted(io.input(), context.signal) } : /^https?:\/\//i.test(source) ? { url: source } : { path: source },
      { reference, message: flags.message ?? "", changes: flags.change, platform: flags.platform },
      { onProgress: progress.onProgress, signal: context.signal },
    );
    progress.finish();
    io.out(`${id}\n`);
    return 0;
  },
});
