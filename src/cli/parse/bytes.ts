import { refuse } from "../flags/flag.ts";

const binaryPowers: Readonly<Record<string, number>> = { "": 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * Bytes from a size with a binary unit: "64m", "1.5g", "512KiB", "100". As go-units' RAMInBytes, case-insensitive,
 * fractions cut off; refused where the result cannot be held exactly.
 */
export function parseBytes(text: string): number {
  const match = /^\+?([0-9]+\.?[0-9]*|\.[0-9]+) ?(?:([bB])|([kKmMgGtTpP])(?:[iI]?[bB])?)?$/.exec(text);
  if (match === null) return refuse(`invalid size: '${text}'`);
  const unit = (match[2] ?? match[3] ?? "").toLowerCase();
  const bytes = Math.trunc(Number(match[1]) * 1024 ** (binaryPowers[unit] ?? 0));
  if (!Number.isSafeInteger(bytes)) return refuse(`invalid size: '${text}'`);
  return bytes;
}

/** As `parseBytes`, and "-1" for without limit. */
export function parseBytesOrUnlimited(text: string): number {
  return text === "-1" ? -1 : parseBytes(text);
}

/** Gocker's sizes: a bare number is megabytes; with a unit as `parseBytes`. */
export function parseMegabytes(text: string): number {
  return parseBytes(/^[0-9]+(\.[0-9]+)?$/.test(text) ? `${text}m` : text);
}

/** As `parseMegabytes`, and "-1" for without limit. */
export function parseMegabytesOrUnlimited(text: string): number {
  return text === "-1" ? -1 : parseMegabytes(text);
}

/** Billionths of a CPU from "1.5", "0.04", "2" or "1/2"; Docker reads a rational number too. */
export function parseNanoCpus(text: string): number {
  const match = /^\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:\/([1-9][0-9]*))?$/.exec(text);
  if (match === null) return refuse(`failed to parse ${text} as a rational number`);
  const nano = (Number(match[1]) * 1e9) / Number(match[2] ?? 1);
  const rounded = Math.round(nano);
  if (Math.abs(nano - rounded) > 1e-3) return refuse("value is too precise");
  if (!Number.isSafeInteger(rounded)) return refuse(`failed to parse ${text} as a rational number`);
  return rounded;
}
