import type { Command } from "../commands.ts";
import { createContainer } from "../create.ts";
import { count, parseFlags, positional } from "../flags.ts";

const FLAGS = ["bundle b=", "config f=", "console-socket=", "pidfd-socket=", "pid-file=", "preserve-fds=", "no-pivot", "no-new-keyring"];

export const command: Command = {
  summary: "Make a container from a bundle; its program waits for start",
  usage: "[--bundle DIR] [--config FILE] [--console-socket PATH] [--pidfd-socket PATH] [--pid-file PATH] [--preserve-fds N] [--no-pivot] [--no-new-keyring] ID",
  async run(context, words) {
    const flags = parseFlags("create", words, FLAGS);
    const [id = ""] = positional("create", flags, ["container-id"]);
    const { settle, tellPid } = await createContainer(context, id, {
      bundle: flags.value("bundle") ?? ".", config: flags.value("config"), consoleSocket: flags.value("console-socket"),
      pidfdSocket: flags.value("pidfd-socket"), pidFile: flags.value("pid-file"),
      preserveFds: count("create", flags, "preserve-fds"), noPivot: flags.has("no-pivot"), noNewKeyring: flags.has("no-new-keyring"), end: "created",
    });
    const { report } = await settle();
    await tellPid(report.childPid);
    return 0;
  },
};
