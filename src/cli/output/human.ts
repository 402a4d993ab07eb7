/** Sizes and durations for people, digit for digit as Docker's go-units prints them. */
const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

function scale(bytes: number, base: number, units: readonly string[]): [number, string] {
  let size = bytes;
  let index = 0;
  while (size >= base && index < units.length - 1) {
    size /= base;
    index += 1;
  }
  return [size, units[index] ?? ""];
}

/** C's and Go's %.{precision}g: that many significant digits, no trailing zeros, an exponent where it is shorter. */
export function formatG(value: number, precision: number): string {
  if (value === 0) return "0";
  const [mantissa = "", exponentText = "0"] = toExponentialEven(value, precision - 1).split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= precision) {
    const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const fixed = toFixedEven(value, Math.max(0, precision - 1 - exponent));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** As Number.toFixed, but exact halves go to the even digit, as in C and Go: 2.25 → "2.2". */
export function toFixedEven(value: number, digits: number): string {
  const exact = value.toFixed(Math.min(100, digits + 40));
  const point = exact.indexOf(".") + 1 + digits;
  const kept = exact.slice(0, digits === 0 ? point - 1 : point);
  return /^50*$/.test(exact.slice(point)) && /[02468]$/.test(kept) ? kept : value.toFixed(digits);
}

function toExponentialEven(value: number, digits: number): string {
  const exact = value.toExponential(Math.min(100, digits + 40));
  const [mantissa = "", exponent = ""] = exact.split("e");
  const point = mantissa.indexOf(".") + 1 + digits;
  const kept = mantissa.slice(0, digits === 0 ? point - 1 : point);
  return /^50*$/.test(mantissa.slice(point)) && /[02468]$/.test(kept) ? `${kept}e${exponent}` : value.toExponential(digits);
}

/** 2746000 → "2.746MB". */
export function humanSize(bytes: number, precision = 4): string {
  const [size, unit] = scale(bytes, 1000, decimalUnits);
  return formatG(size, precision) + unit;
}

/** 2097152 → "2MiB". */
export function bytesSize(bytes: number): string {
  const [size, unit] = scale(bytes, 1024, binaryUnits);
  return formatG(size, 4) + unit;
}

/** 61000 → "About a minute". */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(durationMs / 60_000);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(durationMs / 3_600_000 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(Math.trunc(durationMs / 3_600_000) / 24 / 365)} years`;
}

/** How long ago; "N/A" for a time that was never set. */
export function humanAgo(timeMs: number, nowMs: number): string {
  return timeMs <= 0 ? "N/A" : `${humanDuration(nowMs - timeMs)} ago`;
}

/** Go's time.Time.String without its monotonic part: "2024-01-02 15:04:05 +0100 CET". */
export function goTime(timeMs: number): string {
  const date = new Date(timeMs);
  const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date).find((part) => part.type === "timeZoneName")?.value ?? "";
  return `${localDate(date)} ${localClock(date)} ${offset(date, "")} ${zone}`;
}

/** RFC 3339 in local time with nine digits of a second, as Docker's events have it. */
export function rfc3339Nano(timeNano: bigint): string {
  const date = new Date(Number(timeNano / 1_000_000n));
  return `${localDate(date)}T${localClock(date)}.${String(timeNano % 1_000_000_000n).padStart(9, "0")}${zoneOrZ(date)}`;
}

/** RFC 3339 in local time with whole seconds. */
export function rfc3339(timeMs: number): string {
  const date = new Date(timeMs);
  return `${localDate(date)}T${localClock(date)}${zoneOrZ(date)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function localDate(date: Date): string {
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function localClock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function offset(date: Date, separator: string): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(size / 60))}${separator}${two(size % 60)}`;
}

function zoneOrZ(date: Date): string {
  return date.getTimezoneOffset() === 0 ? "Z" : offset(date, ":");
}
