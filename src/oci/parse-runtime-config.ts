import { ProblemsError, SampanError, messageOf } from "../base/errors.ts";
import type { Process, Resources, RuntimeConfig } from "./runtime-config.ts";
import type { Shape } from "./runtime-schema.ts";
import { processConfigShape, resourcesShape, runtimeConfigShape } from "./runtime-schema.ts";

/** What the fields of config.json may be; see runtime/validate.ts for what they may mean together. */
const MAX_BYTES = 16 << 20;

/**
 * JSON with integers beyond 2^53 as bigint: limits and argument masks have 64 bits, and a double would round them. The text
 * of a number is the reviver's third argument (ECMA-262, JSON.parse source text access).
 */
function parseExactly(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source;
    return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "bigint" ? value.toString() : JSON.stringify(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value without fields that are null, which is how Go writes "absent", and without what the shape does not know. */
function check(value: unknown, shape: Shape, at: string, problems: string[]): unknown {
  const wrong = (wanted: string): undefined => {
    problems.push(`${at || "the document"} is ${describe(value)}, not ${wanted}`);
    return undefined;
  };
  switch (shape.kind) {
    case "any":
      return value;
    case "string":
      if (typeof value !== "string") return wrong("a string");
      if (value.includes("\0")) return wrong("a string without NUL characters");
      return value;
    case "boolean":
      return typeof value === "boolean" ? value : wrong("true or false");
    case "enum":
      return typeof value === "string" && shape.values.includes(value) ? value : wrong(`one of ${shape.values.filter((word) => word !== "").join(", ")}`);
    case "integer": {
      const whole = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
      if (!whole) return wrong("a whole number");
      const number = Number(value);
      // The limits of 64 bits are no doubles: 2^64 - 1 reads as 2^64, so only what is beyond is told by exact comparison.
      const tooBig = typeof value === "bigint" && shape.max > Number.MAX_SAFE_INTEGER ? value >= BigInt(shape.max) : number > shape.max;
      if (number < shape.min || tooBig)
        return wrong(`a number from ${shape.min} to ${shape.max > Number.MAX_SAFE_INTEGER ? String(BigInt(shape.max) - 1n) : shape.max}`);
      return shape.exact ? value : number;
    }
    case "array":
      if (!Array.isArray(value)) return wrong("an array");
      return (value as readonly unknown[]).map((item, i) => check(item, shape.of, `${at}[${i}]`, problems)); // Array.isArray says any[]
    case "map":
      if (!isRecord(value)) return wrong("an object");
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [
        key,
        item === null && shape.of.kind === "object" ? {} : check(item, shape.of, `${at}[${JSON.stringify(key)}]`, problems),
      ]));
    case "object": {
      if (!isRecord(value)) return wrong("an object");
      const prefix = at === "" ? "" : `${at}.`;
      for (const name of shape.required) if (value[name] === undefined || value[name] === null) problems.push(`${prefix}${name} is missing`);
      const result: Record<string, unknown> = {};
      for (const [name, inner] of Object.entries(shape.fields)) {
        const field = Object.hasOwn(value, name) ? value[name] : undefined;
        if (field !== undefined && field !== null) result[name] = check(field, inner, `${prefix}${name}`, problems);
      }
      return result;
    }
  }
}

function parse(bytes: Uint8Array, shape: Shape, where: string): unknown {
  if (bytes.length > MAX_BYTES) throw new SampanError("invalid", `Cannot read "${where}": it has ${bytes.length} bytes, more than the ${MAX_BYTES} allowed`);
  let json: unknown;
  try {
    json = parseExactly(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new SampanError("invalid", `Cannot read "${where}": it is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const problems: string[] = [];
  const value = check(json, shape, "", problems);
  throwProblems(problems, where);
  return value;
}

/** One sentence that names every problem of a document. */
export function throwProblems(problems: readonly string[], where: string): void {
  if (problems.length > 0) throw new ProblemsError([`Cannot use "${where}": ${problems.join("; ")}`]);
}

/** Throws SampanError "invalid" with every field that is of a wrong type or missing. Unknown fields do not matter (config.md "Extensibility"). */
export function parseRuntimeConfig(bytes: Uint8Array, where: string): RuntimeConfig {
  const config = parse(bytes, runtimeConfigShape(), where) as RuntimeConfig; // what the shape has checked
  const version = /^(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(config.ociVersion);
  if (!version) throwProblems([`ociVersion ${JSON.stringify(config.ociVersion)} is no version (semver.org)`], where);
  if (version?.[1] !== "1") throwProblems([`ociVersion "${config.ociVersion}" is not supported: this runtime knows 1.0.0 to 1.3.0`], where);
  // Go writes "absent" as an empty string, too.
  for (const namespace of config.linux?.namespaces ?? []) if (namespace.path === "") delete namespace.path;
  return config;
}

/** A process.json, as `exec --process` takes it. */
export function parseProcessConfig(bytes: Uint8Array, where: string): Process {
  return parse(bytes, processConfigShape(), where) as Process; // what the shape has checked
}

/** A resources document, as `update --resources` takes it. */
export function parseResources(bytes: Uint8Array, where: string): Resources {
  return parse(bytes, resourcesShape(), where) as Resources; // what the shape has checked
}
