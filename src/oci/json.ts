import { SampanError } from "../base/index.ts";

/** A JSON object that nobody has checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads the optional and required fields of one untrusted JSON object, and says which field of which document
 * is wrong. `null` counts as absent (image-spec config.md: an optional field may be null).
 */
export class FieldReader {
  readonly #object: JsonObject;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (!isJsonObject(value)) throw new SampanError("invalid", `Cannot read ${where}: it is not a JSON object`);
    this.#object = value;
    this.#where = where;
  }

  get keys(): string[] {
    return Object.keys(this.#object);
  }

  /** The field as it stands; undefined when absent or null. */
  value(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  fail(name: string, problem: string): never {
    throw new SampanError("invalid", `Cannot read ${this.#where}: "${name}" ${problem}`);
  }

  string(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value;
    return this.fail(name, "is not a string");
  }

  requiredString(name: string): string {
    return this.string(name) ?? this.fail(name, "is missing");
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.fail(name, "is neither true nor false");
  }

  /** A whole number from 0 to 2^53 - 1. */
  natural(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail(name, "is not a non-negative whole number");
  }

  array(name: string): readonly unknown[] | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    // Array.isArray says any[]; the elements are as unchecked as the rest.
    return Array.isArray(value) ? (value as readonly unknown[]) : this.fail(name, "is not an array");
  }

  strings(name: string): string[] | undefined {
    return this.array(name)?.map((item) => (typeof item === "string" ? item : this.fail(name, "is not an array of strings")));
  }

  /** An object used as a map from string to string. */
  stringMap(name: string): Record<string, string> | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) return this.fail(name, "is not an object");
    // fromEntries defines properties; assignment would let a key "__proto__" change the prototype.
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, typeof item === "string" ? item : this.fail(name, "has a value that is not a string")]),
    );
  }

  /** Go's map[string]struct{}: only the keys matter. */
  set(name: string): Record<string, Record<string, never>> | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) return this.fail(name, "is not an object");
    return Object.fromEntries(Object.keys(value).map((key) => [key, {}]));
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses UTF-8 JSON of at most `maxBytes`; bad UTF-8 and a byte order mark are refused. */
export function parseJson(bytes: Uint8Array, what: string, maxBytes: number): unknown {
  if (bytes.length > maxBytes) {
    throw new SampanError("invalid", `Cannot read ${what}: it has ${bytes.length} bytes, more than the ${maxBytes} allowed`, { code: "TOO_LARGE" });
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new SampanError("invalid", `Cannot read ${what}: it is not valid JSON`, { cause });
  }
}

/** Copies without the keys whose value is undefined, as exactOptionalPropertyTypes wants it. */
export function defined<T extends object>(object: { [K in keyof T]: T[K] | undefined }): T {
  // Only absent keys are dropped; what is left has T's types.
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
