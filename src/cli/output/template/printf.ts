import { toFixedEven } from "../human.ts";
import { formatNumber, formatValue, typeName } from "./value.ts";

/** Go's fmt.Sprintf for the verbs that formats use: %s %v %d %q %t %x %X %o %b %c %f %e %g %%, with flags, width and precision. */
export function formatPrintf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const text = format.replaceAll(/%([-+ 0#]*)([0-9]+)?(?:\.([0-9]*))?([a-zA-Z%])?/g, (
    _,
    flags: string,
    width: string | undefined,
    precision: string | undefined,
    verb: string | undefined,
  ) => {
    if (verb === "%") return "%";
    if (verb === undefined) return "%!(NOVERB)";
    if (next >= values.length) return `%!${verb}(MISSING)`;
    const value = values[next];
    next += 1;
    const digits = precision === undefined ? undefined : Number(precision);
    const body = formatVerb(verb, value, flags, digits);
    if (body === undefined) return `%!${verb}(${typeName(value)}=${formatValue(value, true)})`;
    return padded(body, flags, Number(width ?? 0), typeof value !== "string");
  });
  if (next >= values.length) return text;
  return `${text}%!(EXTRA ${values.slice(next).map((value) => `${typeName(value)}=${formatValue(value, true)}`).join(", ")})`;
}

function formatVerb(verb: string, value: unknown, flags: string, precision: number | undefined): string | undefined {
  const integer = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value)) ? value : undefined;
  const plus = flags.includes("+") && integer !== undefined && integer >= 0 ? "+" : "";
  switch (verb) {
    case "v":
      return formatValue(value, true);
    case "s":
      if (typeof value !== "string" && !Array.isArray(value)) return undefined;
      return Array.from(formatValue(value, true)).slice(0, precision).join("");
    case "q":
      if (typeof integer === "number") return `'${String.fromCodePoint(integer)}'`;
      return typeof value === "string" ? JSON.stringify(value) : undefined;
    case "t":
      return typeof value === "boolean" ? String(value) : undefined;
    case "d":
      return integer === undefined ? undefined : plus + integer.toString();
    case "b":
      return integer?.toString(2);
    case "o":
      return integer?.toString(8);
    case "c":
      return typeof integer === "number" && integer >= 0 && integer <= 0x10ffff ? String.fromCodePoint(integer) : undefined;
    case "x":
    case "X": {
      const hex = typeof value === "string" ? Buffer.from(value).toString("hex") : integer?.toString(16);
      return hex === undefined ? undefined : verb === "X" ? hex.toUpperCase() : hex;
    }
    case "f":
    case "F":
      // A Go integer is no float, but JavaScript cannot tell 2.0 from 2.
      return typeof value === "number" ? toFixedEven(value, precision ?? 6) : undefined;
    case "e":
      return typeof value === "number" ? value.toExponential(precision ?? 6).replace(/e([+-])([0-9])$/, "e$10$2") : undefined;
    case "g":
      return typeof value === "number" ? formatNumber(precision === undefined ? value : Number(value.toPrecision(Math.max(1, precision)))) : undefined;
    case "T":
      return typeName(value);
    default:
      return undefined;
  }
}

function padded(body: string, flags: string, width: number, numeric: boolean): string {
  const missing = width - Array.from(body).length;
  if (missing <= 0) return body;
  if (flags.includes("-")) return body + " ".repeat(missing);
  if (!flags.includes("0") || !numeric) return " ".repeat(missing) + body;
  const sign = /^[+-]/.exec(body)?.[0] ?? "";
  return sign + "0".repeat(missing) + body.slice(sign.length);
}
