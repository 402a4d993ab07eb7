import { defineCommand } from "../../command.ts";
import { bool, list, string } from "../../flags/flag.ts";

export const command = defineCommand({
  summary: "Make an image from a container's changes",
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: {
    author: string("Who made it", { short: "a" }),
    message: string("What was done", { short: "m" }),
    change: list('Apply an instruction of a Dockerfile: CMD ["sh"]', { short: "c" }),
    pause: bool("Freeze the container while its files are read", { short: "p", initial: true, shownDefault: "true" }),
    "no-pause": bool("Let the container run while its files are read"),
  },
  interspersed: false,
  args: { min: 1, max: 2 },
  async run(context, { flags, args }) {
    const [name = "", reference = ""] = args;
    const { containers } = await context.engine();
    const { id } = await containers.commit(
      name,
      { reference, author: flags.author ?? "", message: flags.message ?? "", changes: flags.change, pause: flags.pause && !flags["no-pause"] },
      { signal: context.signal },
    );
    context.io.out(`${id}\n`);
    return 0;
  },
});
