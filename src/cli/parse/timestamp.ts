import { SampanError } from "../../base/errors.ts";
import { refuse } from "../flags/flag.ts";
import { parseDuration } from "./duration.ts";

/**
 * Milliseconds since the epoch from what `--since` and `--until` take: a Go duration before `nowMs` ("42m"), a Unix time with an
 * optional fraction ("1136073600.000000001"), or a date and time as RFC 3339 writes it, cut off after any part
 * ("2024-01-02T15:04") and without a zone in the local one.
 */
export function parseTimestamp(text: string, nowMs: number): number {
  if (/^[0-9]+(\.[0-9]{1,9})?$/.test(text)) return Number(text) * 1000;
  const date = /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}(?:\.[0-9]+)?))?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/.exec(text);
  if (date !== null) {
    const ms = Date.parse(`${date[1] ?? ""}T${date[2] ?? "00"}:${date[3] ?? "00"}:${date[4] ?? "00"}${date[5] ?? ""}`);
    if (Number.isFinite(ms)) return ms;
  } else {
    try {
      return nowMs - parseDuration(text);
    } catch (error) {
      if (!(error instanceof SampanError)) throw error;
    }
  }
  return refuse(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
}
