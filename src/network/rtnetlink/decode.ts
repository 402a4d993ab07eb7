import { SampanError } from "../../base/errors.ts";
import * as nl from "../../linux/netlink.ts";

/** One message of a datagram or of a whole dump. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}

/** Attributes by number, the flag bits of the number removed; of a repeated one the last, as the kernel reads them. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** An acknowledgement (`errno` 0) or a failure. */
export interface NetlinkReply {
  readonly seq: number;
  /** Positive, or 0 for success. */
  readonly errno: number;
  /** The kernel's own sentence, where it has one (NETLINK_EXT_ACK). */
  readonly message?: string;
  /** Offset of the offending attribute from the start of the request. */
  readonly attributeOffset?: number;
}

function malformed(what: string): SampanError {
  return new SampanError("internal", `Cannot decode netlink ${what}: it is cut short or its length is wrong`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Splits what recvmsg(2) gave; several datagrams may be joined. Throws on a length that does not fit. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < nl.NLMSG_HDRLEN) throw malformed("message");
    const length = view.getUint32(at, true);
    if (length < nl.NLMSG_HDRLEN || at + length > bytes.length) throw malformed("message");
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + nl.NLMSG_HDRLEN, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

function decodeAttributes(bytes: Uint8Array): Attributes {
  const view = viewOf(bytes);
  const attributes = new Map<number, Uint8Array>();
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) throw malformed("attribute");
    attributes.set(view.getUint16(at + 2, true) & nl.NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attributes;
}

/** A NUL-terminated string attribute. */
export function attributeString(attributes: Attributes, type: number): string | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined) return undefined;
  const nul = bytes.indexOf(0);
  return new TextDecoder().decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}

/** A 32-bit attribute in host order. */
export function attributeU32(attributes: Attributes, type: number): number | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined) return undefined;
  if (bytes.length < 4) throw malformed("number");
  return viewOf(bytes).getUint32(0, true);
}

export function nestedAttributes(attributes: Attributes, type: number): Attributes {
  return decodeAttributes(attributes.get(type) ?? new Uint8Array());
}

/** The part of a message after its fixed header of `size` bytes. */
export function splitHeader(payload: Uint8Array, size: number, what: string): { header: DataView; attributes: Attributes } {
  if (payload.length < size) throw malformed(what);
  return { header: viewOf(payload.subarray(0, size)), attributes: decodeAttributes(payload.subarray(size)) };
}

/** NLMSG_ERROR: an acknowledgement or a failure with the extended report (netlink(7), Documentation/userspace-api/netlink/intro.rst). */
function decodeReply(message: NetlinkMessage): NetlinkReply {
  if (message.type !== nl.NLMSG_ERROR || message.payload.length < 4 + nl.NLMSG_HDRLEN) throw malformed("error report");
  const view = viewOf(message.payload);
  const errno = -view.getInt32(0, true);
  if ((message.flags & nl.NLM_F_ACK_TLVS) === 0) return { seq: message.seq, errno };
  // After the errno comes the request: its header only if capped or a success, all of it otherwise.
  const capped = errno === 0 || (message.flags & nl.NLM_F_CAPPED) !== 0;
  const skip = capped ? nl.NLMSG_HDRLEN : (view.getUint32(4, true) + 3) & ~3;
  if (skip < nl.NLMSG_HDRLEN || 4 + skip > message.payload.length) throw malformed("error report");
  const attributes = decodeAttributes(message.payload.subarray(4 + skip));
  const text = attributeString(attributes, nl.NLMSGERR_ATTR_MSG);
  const offset = attributeU32(attributes, nl.NLMSGERR_ATTR_OFFS);
  return { seq: message.seq, errno, ...(text === undefined ? {} : { message: text }), ...(offset === undefined ? {} : { attributeOffset: offset }) };
}

/** The replies in a reply stream, in order; other messages are passed over. */
export function decodeReplies(bytes: Uint8Array): NetlinkReply[] {
  return decodeMessages(bytes).filter((m) => m.type === nl.NLMSG_ERROR).map(decodeReply);
}
