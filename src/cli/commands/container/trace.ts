import { bool, string } from "../../flags/flag.ts";
import { defineCommand } from "../../command.ts";
import { streamsOf } from "../shared/streams.ts";
import { parseRunLine } from "./run-line.ts";

export const command = defineCommand({
  summary: "Run a container and print how long each of its system calls took",
  usage: "[OPTIONS] run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  examples: [
    ["sampan trace run --rm host true", "Microseconds per call, with a bar beside each"],
    ["sampan trace --html start.html run --rm host true", "The same as a picture"],
  ],
  flags: {
    json: bool("Print the calls as JSON"),
    html: string("Write a page with the calls as a waterfall to this file", { valueName: "file" }),
  },
  interspersed: false,
  args: { min: 1, max: Infinity },
  failureExitCode: 125,
  async run(context, { flags, args, path }) {
    const { io } = context;
    const request = parseRunLine(args, path, io);
    const engine = await context.engine();
    const result = await engine.containers.trace(request, { streams: streamsOf(request.attach) });
    for (const warning of result.warnings) io.err(`WARNING: ${warning}\n`);
    if (flags.html !== undefined) {
      const { writeFile } = await import("node:fs/promises");
      await writeFile(flags.html, result.html());
    }
    if (flags.json) {
      const { toJson } = await import("../../output/json.ts");
      io.out(`${toJson(result.toJSON(), "  ")}\n`);
    } else if (flags.html === undefined) {
      const terminal = io.isTerminal(1);
      io.out(result.text({ columns: terminal ? io.columns() : 120, colors: terminal && io.env["NO_COLOR"] === undefined }));
    }
    return result.exitCode;
  },
});
