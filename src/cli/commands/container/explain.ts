import { defineCommand } from "../../command.ts";
import { parseRunLine } from "./run-line.ts";

export const command = defineCommand({
  summary: "Print every system call that a container would be made of",
  usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  description: "Nothing is made and nothing is run.",
  examples: [["sampan explain run --rm -m 64m host true", "The whole plan, grouped by stage, each call with its man page and a reason"]],
  flags: {},
  interspersed: false,
  args: { min: 1, max: Infinity },
  failureExitCode: 125,
  async run(context, { args, path }) {
    const request = parseRunLine(args, path, context.io);
    const engine = await context.engine();
    context.io.out(await engine.containers.explain(request, { signal: context.signal }));
    return 0;
  },
});
