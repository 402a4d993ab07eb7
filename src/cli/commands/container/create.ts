import { ProblemsError, SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { buildCreateRequest, problemsOf } from "../request/build.ts";
import { creationFlags } from "../request/flags.ts";
import { lazyProgress } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Make a container without starting it",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  examples: [["sampan create --name job alpine sh -c 'date'", "Made now, run later with: sampan start -a job"]],
  flags: creationFlags,
  interspersed: false,
  args: { min: 1, max: Infinity },
  problems: (io, { flags, given, args, path }) => problemsOf(() => buildCreateRequest({ flags, given, args, path }, { env: io.env, cwd: io.cwd() })),
  async run(context, { flags, given, args, path }) {
    const { io } = context;
    const request = buildCreateRequest({ flags, given, args, path }, { env: io.env, cwd: io.cwd() });
    const engine = await context.engine();
    const progress = lazyProgress(io, flags.quiet);
    try {
      const { id, warnings } = await engine.containers.create(request, { signal: context.signal, onProgress: progress.onProgress });
      progress.finish();
      for (const warning of warnings) io.err(`WARNING: ${warning}\n`);
      io.out(`${id}\n`);
      return 0;
    } catch (error) {
      throw asOfCreate(error);
    }
  },
});

/** What `run` ends with 125 for is an error as any other here; only a mistake in the line itself is 125 (Docker's rule). */
function asOfCreate(error: unknown): unknown {
  if (!(error instanceof SampanError) || error.kind === "cancelled") return error;
  const { kind, message, hint, code } = error;
  return error instanceof ProblemsError
    ? new ProblemsError(error.problems, { hint, exitCode: 1 })
    : new SampanError(kind, message, { hint, code, cause: error, exitCode: 1 });
}
