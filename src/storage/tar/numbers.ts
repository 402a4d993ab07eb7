import { tarError } from "./errors.ts";

const SPACE = 0x20;

/**
 * A numeric header field: octal text padded with spaces or NULs (POSIX pax, "ustar Interchange Format"), or
 * base-256 two's complement with the top bit set (GNU tar manual, "Extensions"; also written by star).
 * Throws for other text and for values beyond the safe integers.
 */
export function parseNumber(block: Uint8Array, start: number, length: number, field: string): number {
  const first = block[start] ?? 0;
  if (first >= 0x80) return parseBase256(block, start, length, field);
  const end = start + length;
  let at = start;
  while (at < end && (block[at] === SPACE || block[at] === 0)) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; at < end; at++) {
    if (block[at] !== SPACE && block[at] !== 0) throw tarError(`the ${field} field is not a number`);
  }
  // 12 octal digits are 36 bits at most: always safe.
  return value;
}

function parseBase256(block: Uint8Array, start: number, length: number, field: string): number {
  const first = block[start] ?? 0;
  const negative = (first & 0x40) !== 0;
  // Negative numbers are read as their complement, so that the same loop bounds both.
  const flip = negative ? 0xff : 0;
  let value = (first ^ flip) & 0x3f;
  for (let at = start + 1; at < start + length; at++) {
    value = value * 256 + ((block[at] ?? 0) ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) throw tarError(`the ${field} field is out of range`);
  }
  return negative ? -value - 1 : value;
}

/** Whether `value` fits an octal field of `length` bytes with its terminator. */
export function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

/** Writes zero-padded octal text and a NUL. The caller has checked that it fits. */
export function writeOctal(block: Buffer, start: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), start, length - 1, "latin1");
}

/** A decimal count as PAX records hold them: digits only, within the safe integers. */
export function parseDecimal(text: string, field: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) throw tarError(`${field} "${printable(text)}" is not a size or number that can be used`);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw tarError(`${field} "${text}" is out of range`);
  return value;
}

/** "1234.5678", perhaps negative, to seconds and nanoseconds (POSIX pax, "mtime"). Digits past the ninth are cut. */
export function parsePaxTime(text: string): { sec: number; nsec: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw tarError(`the time "${printable(text)}" is not a number`);
  const whole = Number(match[2]);
  const nanos = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] !== "-") return { sec: whole, nsec: nanos };
  return nanos === 0 ? { sec: whole === 0 ? 0 : -whole, nsec: 0 } : { sec: -whole - 1, nsec: 1_000_000_000 - nanos };
}

/** The inverse of {@link parsePaxTime}, without trailing zeros. */
export function formatPaxTime(sec: number, nsec: number): string {
  if (nsec === 0) return String(sec);
  const [whole, nanos, sign] = sec < 0 ? [-(sec + 1), 1_000_000_000 - nsec, "-"] : [sec, nsec, ""];
  return `${sign}${whole}.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
}

function printable(text: string): string {
  return text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?");
}
