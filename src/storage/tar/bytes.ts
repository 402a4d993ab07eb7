import type { Brand } from "../../base/index.ts";

/**
 * A string with one character per byte (latin1), so that names which are not UTF-8 survive unchanged and slicing
 * stays cheap. ASCII text looks the same in both forms.
 */
export type ByteString = Brand<string, "ByteString">;

/** The bytes of a text in UTF-8, one character each. */
export function toBytes(text: string): ByteString {
  // The only character test that matters: ASCII needs no conversion.
  if (/^[\x00-\x7f]*$/.test(text)) return text as ByteString; // brand: ASCII is its own byte string
  return Buffer.from(text, "utf8").toString("latin1") as ByteString; // brand: latin1 is one character per byte
}

/** The text that the bytes spell in UTF-8, with U+FFFD where they are none; for messages and JSON. */
export function fromBytes(bytes: ByteString): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** The bytes of `block[start..end)`. */
export function sliceBytes(block: Buffer, start: number, end: number): ByteString {
  return block.toString("latin1", start, end) as ByteString; // brand: latin1 is one character per byte
}

/** A NUL-terminated field of at most `length` bytes. */
export function cString(block: Buffer, start: number, length: number): ByteString {
  const limit = start + length;
  let end = start;
  while (end < limit && block[end] !== 0) end++;
  return end === start ? ("" as ByteString) : sliceBytes(block, start, end); // brand: no bytes at all
}
