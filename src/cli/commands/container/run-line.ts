import { ProblemsError, SampanError } from "../../../base/errors.ts";
import type { RunRequest } from "../../../engine/request.ts";
import { parseFlags } from "../../flags/parse.ts";
import type { Io } from "../../io.ts";
import { buildRunRequest } from "../request/build.ts";
import { runFlags } from "../request/flags.ts";
import { requireTerminal } from "../shared/streams.ts";

/** The request of a whole `run …` line behind another command's name (`explain run …`). */
export function parseRunLine(words: readonly string[], path: string, io: Io): RunRequest {
  const [verb, ...rest] = words[0] === "container" ? words.slice(1) : words;
  if (verb !== "run") {
    throw new SampanError("invalid", `'sampan ${path}' knows no ${JSON.stringify(verb ?? "")}`, {
      exitCode: 125,
      hint: `Try 'sampan ${path} run --rm host true'.`,
    });
  }
  const hint = "See 'sampan run --help'.";
  const { values: flags, given, positionals: args, problems, help } = parseFlags(runFlags, rest, false);
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 125, hint });
  if (help || args.length === 0) throw new SampanError("invalid", `'sampan ${path} run' requires at least 1 argument`, { exitCode: 1, hint });
  const request = buildRunRequest({ flags, given, args, path: "run" }, { env: io.env, cwd: io.cwd() });
  if (path === "trace" && request.tty && request.attach.includes("stdin")) requireTerminal(io);
  return request;
}
