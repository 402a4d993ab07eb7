import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool, one, parseInteger, refuse, string } from "../../flags/flag.ts";
import type { Io } from "../../io.ts";
import { parseTimestampNs } from "../../parse/timestamp.ts";

/** Lines from the end; undefined for all of them. A variable that is empty asks for nothing, here as in --since and --until. */
function parseTail(text: string): number | undefined {
  if (text === "all" || text === "") return undefined;
  const lines = parseInteger(text);
  // Docker takes any negative number for all.
  return lines < 0 ? undefined : lines;
}

export const command = defineCommand({
  summary: "Print what a container has written",
  usage: "[OPTIONS] CONTAINER",
  flags: {
    follow: bool("Go on as it writes more", { short: "f" }),
    since: string("Only what was written after this time: 2024-01-02T15:04:05Z, or 42m for 42 minutes ago"),
    until: string("Only what was written before this time"),
    tail: one("string", parseTail, "Only this many lines from the end", { short: "n", shownDefault: '"all"' }),
    timestamps: bool("Print the time of each line", { short: "t" }),
    details: bool("Print what --log-opt labels, env and tag asked for before each line"),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { io } = context;
    const since = !flags.since ? undefined : time("since", flags.since, io.nowMs());
    const until = !flags.until ? undefined : time("until", flags.until, io.nowMs());
    const { containers } = await context.engine();
    const records = containers.logs(args[0] ?? "", { follow: flags.follow, tail: flags.tail, sinceNs: since, untilNs: until, signal: context.signal });
    const output = gather(io);
    try {
      const lineStart = { stdout: true, stderr: true };
      for await (const { stream, time: written, data, attributes } of records) {
        if (flags.timestamps && lineStart[stream]) output.write(stream, Buffer.from(`${written} `));
        if (flags.details && lineStart[stream]) output.write(stream, Buffer.from(`${detailsOf(attributes)} `));
        output.write(stream, data);
        lineStart[stream] = data.at(-1) === 0x0a;
      }
    } catch (error) {
      // Ctrl-C is how one leaves `logs -f`.
      if (!(flags.follow && context.signal.aborted)) throw error;
      return 130;
    } finally {
      output.flush();
    }
    return 0;
  },
});

/** "KEY=VALUE,…" in alphabetical order, as in a URL: Docker's notation. */
function detailsOf(attributes: Readonly<Record<string, string>>): string {
  const escaped = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);
  return Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${escaped(key)}=${escaped(value)}`).join(",");
}

/** Many records to a write: what is there at once is written at once, in its order. */
function gather(io: Io): { write(stream: "stdout" | "stderr", data: Uint8Array): void; flush(): void } {
  const most = 64 * 1024;
  let parts: Uint8Array[] = [];
  let size = 0;
  let current: "stdout" | "stderr" = "stdout";
  let due: NodeJS.Immediate | undefined;
  const flush = (): void => {
    if (due) clearImmediate(due);
    due = undefined;
    const bytes = Buffer.concat(parts, size);
    if (bytes.length > 0 && current === "stdout") io.out(bytes);
    else if (bytes.length > 0) io.err(bytes);
    parts = [];
    size = 0;
  };
  return {
    flush,
    write(stream, data) {
      if (stream !== current || size > most) flush();
      current = stream;
      parts.push(data);
      size += data.length;
      due ??= setImmediate(flush);
    },
  };
}

function time(flag: string, text: string, nowMs: number): bigint {
  try {
    return parseTimestampNs(text, nowMs);
  } catch (error) {
    if (error instanceof SampanError) return refuse(`invalid value for ${JSON.stringify(flag)}: ${error.message}`);
    throw error;
  }
}
