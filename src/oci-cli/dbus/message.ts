import { SampanError } from "../../base/errors.ts";
import type { Variant } from "./wire.ts";
import { Reader, splitSignature, Writer } from "./wire.ts";

export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

/** Header fields by number (D-Bus specification, "Header Fields"). */
const FIELDS = {
  path: [1, "o"], interface: [2, "s"], member: [3, "s"], error: [4, "s"], replySerial: [5, "u"], destination: [6, "s"], signature: [8, "g"],
} as const;
const FIXED = 16;
const MAX_BYTES = 1 << 27;

export interface Message {
  readonly kind: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly error?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly signature?: string;
  readonly body: readonly unknown[];
}

export function encodeMessage(message: Message): Uint8Array {
  const body = new Writer();
  const { signature = "" } = message;
  splitSignature(signature).forEach((type, i) => body.write(type, message.body[i]));
  const fields = (Object.entries(FIELDS) as [keyof typeof FIELDS, readonly [number, string]][]).flatMap(([name, [number, type]]) => {
    const value = message[name];
    return value === undefined || value === "" ? [] : [[number, { type, value } satisfies Variant]];
  });
  const content = body.bytes;
  const header = new Writer().write("y", 0x6c /* "l": little-endian */).write("y", message.kind).write("y", 0).write("y", 1)
    .write("u", content.length).write("u", message.serial).write("a(yv)", fields).align(8).bytes;
  return Buffer.concat([header, content]);
}

/** How many bytes the message at the start of `bytes` has; undefined while too few are there to say. */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < FIXED) return undefined;
  const little = bytes[0] === 0x6c;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = FIXED + view.getUint32(12, little);
  const length = ((header + 7) & ~7) + view.getUint32(4, little);
  if (length > MAX_BYTES) throw new SampanError("internal", "Cannot read a D-Bus message: it is too long");
  return length;
}

/** A whole message, as `messageLength` cut it. */
export function decodeMessage(bytes: Uint8Array): Message {
  const little = bytes[0] === 0x6c;
  const reader = new Reader(bytes, little);
  const [, kind, , , , serial, fields] = [
    "y", "y", "y", "y", "u", "u", "a(yv)",
  ].map((type) => reader.read(type)) as [number, number, number, number, number, number, [number, Variant][]];
  reader.align(8);
  const known = new Map<number, string>(Object.entries(FIELDS).map(([name, [number]]) => [number, name]));
  const named = Object.fromEntries(fields.flatMap(([number, { value }]) => (known.has(number) ? [[known.get(number) ?? "", value]] : []))) as Partial<Message>;
  return { ...named, kind, serial, body: splitSignature(named.signature ?? "").map((type) => reader.read(type)) };
}
