import { SampanError } from "../../base/errors.ts";
import { refuse } from "../flags/flag.ts";
import { parseDuration } from "./duration.ts";

/** Milliseconds since the epoch, for what is dated no finer: see `parseTimestampNs`. */
export function parseTimestamp(text: string, nowMs: number): number {
  return Number(parseTimestampNs(text, nowMs) / 1000n) / 1000;
}

/**
 * Nanoseconds since the epoch from what `--since` and `--until` take: a Go duration before `nowMs` ("42m"), a Unix time with an
 * optional fraction ("1136073600.000000001"), or a date and time as RFC 3339 writes it, cut off after any part
 * ("2024-01-02T15:04") and without a zone in the local one.
 */
export function parseTimestampNs(text: string, nowMs: number): bigint {
  const unix = /^([0-9]+)(?:\.([0-9]{1,9}))?$/.exec(text);
  if (unix !== null) return BigInt(`${unix[1] ?? ""}${(unix[2] ?? "").padEnd(9, "0")}`);
  const date = /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/.exec(text);
  if (date !== null) {
    const ms = Date.parse(`${date[1] ?? ""}T${date[2] ?? "00"}:${date[3] ?? "00"}:${date[4] ?? "00"}${date[6] ?? ""}`);
    if (Number.isFinite(ms)) return BigInt(ms) * 1_000_000n + BigInt((date[5] ?? "").slice(0, 9).padEnd(9, "0"));
  } else {
    try {
      return BigInt(Math.round((nowMs - parseDuration(text)) * 1e3)) * 1_000n;
    } catch (error) {
      if (!(error instanceof SampanError)) throw error;
    }
  }
  return refuse(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
}
