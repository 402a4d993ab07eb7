import { defineCommand } from "../../command.ts";
import { bool, one } from "../../flags/flag.ts";
import { parseDetachKeys } from "../../parse/signal.ts";

export const command = defineCommand({
  summary: "Attach to the streams of a running container",
  usage: "[OPTIONS] CONTAINER",
  flags: {
    "no-stdin": bool("Leave its standard input alone"),
    "sig-proxy": bool("Pass signals on to it", { initial: true, shownDefault: "true" }),
    "detach-keys": one("string", parseDetachKeys, "The keys that leave it running", { shownDefault: '"ctrl-p,ctrl-q"' }),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    const { exitCode } = await containers.attach(args[0] ?? "", {
      streams: { stdin: flags["no-stdin"] ? undefined : 0, stdout: 1, stderr: 2 },
      detachKeys: flags["detach-keys"],
      sigProxy: flags["sig-proxy"],
    });
    return exitCode;
  },
});
