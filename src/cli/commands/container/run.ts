import { defineCommand } from "../../command.ts";
import { buildRunRequest, problemsOf } from "../request/build.ts";
import { runFlags } from "../request/flags.ts";
import { lazyProgress, requireTerminal, streamsOf } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Make a container from an image and run a command in it",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  description: "The image `host` is this machine's own root directory, beneath a layer that is thrown away.",
  examples: [
    ["sampan run --rm -it host sh", "A shell on a throw-away copy of this machine"],
    ["sampan run -d --name web -p 8080:80 -m 64m nginx", "A server in the background, with a limit, at port 8080"],
    ["sampan run --rm --rootfs ./rootfs --network none /bin/true", "A program on a root directory, without an image"],
  ],
  flags: runFlags,
  interspersed: false,
  args: { min: 1, max: Infinity },
  failureExitCode: 125,
  problems: (io, { flags, given, args, path }) => problemsOf(() => buildRunRequest({ flags, given, args, path }, { env: io.env, cwd: io.cwd() })),
  async run(context, { flags, given, args, path }) {
    const { io } = context;
    const request = buildRunRequest({ flags, given, args, path }, { env: io.env, cwd: io.cwd() });
    if (request.tty && request.attach.includes("stdin")) requireTerminal(io);
    const engine = await context.engine();
    const progress = lazyProgress(io, flags.quiet);
    const result = await engine.containers.run(request, { streams: streamsOf(request.attach), onProgress: progress.onProgress });
    progress.finish();
    for (const warning of result.warnings) io.err(`WARNING: ${warning}\n`);
    if (request.detach) io.out(`${result.id}\n`);
    return result.exitCode;
  },
});
