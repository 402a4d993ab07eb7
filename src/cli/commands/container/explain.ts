import { bool } from "../../flags/flag.ts";
import { defineCommand } from "../../command.ts";
import { parseRunLine } from "./run-line.ts";

/** Wider than this a line is hard to follow, and where no terminal is there is no better width. */
const WIDEST = 140;
const WITHOUT_TERMINAL = 100;

export const command = defineCommand({
  summary: "Print every system call that a container would be made of",
  usage: "[OPTIONS] run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  description: "Nothing is made and nothing is run.",
  examples: [["sampan explain run --rm -m 64m host true", "The whole plan, grouped by stage, each call with its man page and a reason"]],
  flags: { json: bool("Print the calls as JSON") },
  interspersed: false,
  args: { min: 1, max: Infinity },
  failureExitCode: 125,
  async run(context, { flags, args, path }) {
    const { io } = context;
    const request = parseRunLine(args, path, io);
    const engine = await context.engine();
    const result = await engine.containers.explain(request, { signal: context.signal });
    if (flags.json) {
      const { toJson } = await import("../../output/json.ts");
      io.out(`${toJson(result.toJSON(), "  ")}\n`);
      return 0;
    }
    const terminal = io.isTerminal(1);
    io.out(result.text({ columns: terminal ? Math.min(io.columns(), WIDEST) : WITHOUT_TERMINAL, colors: terminal && io.env["NO_COLOR"] === undefined }));
    return 0;
  },
});
