import { refuse } from "../flags/flag.ts";

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, "µs": 1e-3, "μs": 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds from Go's durations: "1m30s", "1.5h", "250ms", "0". Errors in the words of Go's time.ParseDuration. */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0;
  if (rest === "") return refuse(`time: invalid duration ${quoted}`);
  let total = 0;
  while (rest !== "") {
    const match = /^([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)/.exec(rest);
    if (match === null) return refuse(`time: invalid duration ${quoted}`);
    const unit = match[2] ?? "";
    if (unit === "") return refuse(`time: missing unit in duration ${quoted}`);
    const factor = unitMs[unit];
    if (factor === undefined) return refuse(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(match[1]) * factor;
    rest = rest.slice(match[0].length);
  }
  // Go holds durations as 64-bit nanoseconds, 292 years.
  if (total * 1e6 > 2 ** 63) return refuse(`time: invalid duration ${quoted}`);
  return sign * total;
}
