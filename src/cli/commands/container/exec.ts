import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool, list, many, one, string } from "../../flags/flag.ts";
import { parseEnv } from "../../parse/key-value.ts";
import { readKeyValueFile } from "../../parse/kv-file.ts";
import { parseDetachKeys } from "../../parse/signal.ts";
import { requireTerminal } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Run a command in a running container",
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  examples: [["sampan exec -it web sh", "A shell beside what runs in web"]],
  flags: {
    detach: bool("Leave it running in the background", { short: "d" }),
    "detach-keys": one("string", parseDetachKeys, "The keys that leave it running", { shownDefault: '"ctrl-p,ctrl-q"' }),
    env: many("list", parseEnv, "Set an environment variable", { short: "e" }),
    "env-file": list("Read environment variables from a file, one a line"),
    interactive: bool("Keep standard input open", { short: "i" }),
    privileged: bool("Give the command every capability"),
    tty: bool("Give it a terminal", { short: "t" }),
    user: string("Run as this user: name|uid[:group|gid]", { short: "u" }),
    workdir: string("Start in this directory", { short: "w" }),
  },
  interspersed: false,
  args: { min: 2, max: Infinity },
  async run(context, { flags, args }) {
    const { io } = context;
    const [name = "", ...command] = args;
    if (flags.workdir !== undefined && !flags.workdir.startsWith("/"))
      throw new SampanError("invalid", `the working directory '${flags.workdir}' is invalid, it needs to be an absolute path`, { exitCode: 125 });
    if (flags.tty && flags.interactive && !flags.detach) requireTerminal(io);
    const files = flags["env-file"].flatMap((path) => readKeyValueFile(path, io.cwd(), (key) => io.env[key]));
    const env = flags.env.map((pair) => (pair.includes("=") || io.env[pair] === undefined ? pair : `${pair}=${io.env[pair]}`));
    const { containers } = await context.engine();
    const { exitCode } = await containers.exec(
      name,
      {
        command,
        tty: flags.tty,
        interactive: flags.interactive,
        detach: flags.detach,
        privileged: flags.privileged,
        env: [...files, ...env],
        user: flags.user,
        workdir: flags.workdir,
      },
      { streams: flags.detach ? {} : { stdin: flags.interactive ? 0 : undefined, stdout: 1, stderr: 2 }, detachKeys: flags["detach-keys"] },
    );
    return exitCode;
  },
});
