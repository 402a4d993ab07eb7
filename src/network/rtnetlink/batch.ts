import { SampanError } from "../../base/errors.ts";
import { NLA_F_NESTED, NLMSG_HDRLEN, NLM_F_ACK, NLM_F_REQUEST } from "../../linux/netlink.ts";

/**
 * A number that is known only once the plan runs: the executor writes it, as 32 bits in host order, over the
 * four bytes at `offset` of the batch before it sends.
 */
export type PatchSource = "netns-fd" | "pid";

export interface Patch {
  readonly offset: number;
  readonly what: PatchSource;
}

/** One request of a batch; `label` says what it does, for the error message ("add address 172.17.0.2/16"). */
export interface BatchMessage {
  readonly label: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Requests for one NETLINK_ROUTE socket, to be sent by one sendmsg(2). Every message asks for an acknowledgement
 * and carries its place (from 1) as sequence number. The kernel goes on after a message that failed, so whoever
 * sends must read as many acknowledgements as there are messages and look at each.
 */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly patches: readonly Patch[];
  readonly messages: readonly BatchMessage[];
}

const MAX_STRING = 4096;

/**
 * Writes messages one after the other. Netlink speaks host byte order (addresses excepted), and both
 * architectures that Sampan runs on are little-endian.
 */
export class BatchWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #start = -1;
  readonly #patches: Patch[] = [];
  readonly #messages: BatchMessage[] = [];

  #room(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, at + count));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#at = at + count;
    return at;
  }

  /** One whole message: `body` writes the family header and the attributes. */
  message(label: string, type: number, flags: number, body: (w: BatchWriter) => void): this {
    if (this.#start >= 0) throw new SampanError("internal", "A netlink message cannot hold another");
    const start = this.#room(NLMSG_HDRLEN);
    this.#start = start;
    body(this);
    const length = this.#at - start;
    this.#view.setUint32(start, length, true);
    this.#view.setUint16(start + 4, type, true);
    this.#view.setUint16(start + 6, flags | NLM_F_REQUEST | NLM_F_ACK, true);
    this.#view.setUint32(start + 8, this.#messages.length + 1, true);
    this.#view.setUint32(start + 12, 0, true); // the kernel fills in the sender
    this.#messages.push({ label, offset: start, length });
    this.#start = -1;
    return this;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#room(1), value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value >>> 0, true);
    return this;
  }

  /** An attribute; its content is padded to four bytes, its length is not (netlink(7)). */
  attr(type: number, content: Uint8Array): this {
    const at = this.#room(4 + ((content.length + 3) & ~3));
    this.#view.setUint16(at, 4 + content.length, true);
    this.#view.setUint16(at + 2, type, true);
    this.#bytes.set(content, at + 4);
    return this;
  }

  attrU8(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value));
  }

  attrU32(type: number, value: number): this {
    return this.#attrHeader(type, 8).u32(value);
  }

  /** NUL-terminated. */
  attrString(type: number, text: string): this {
    if (text.includes("\0") || text.length > MAX_STRING) throw new SampanError("internal", "A netlink string has no NUL and is short");
    return this.attr(type, new TextEncoder().encode(`${text}\0`));
  }

  /** A number that the executor writes. */
  attrPatched(type: number, what: PatchSource): this {
    this.#attrHeader(type, 8);
    this.#patches.push({ offset: this.#at, what });
    return this.u32(0);
  }

  /** An attribute that holds attributes. `flag` is set except where an old kernel interface expects none. */
  nest(type: number, body: (w: BatchWriter) => void, flag = NLA_F_NESTED): this {
    const at = this.#at;
    this.#attrHeader(type | flag, 0);
    body(this);
    this.#view.setUint16(at, this.#at - at, true);
    return this;
  }

  #attrHeader(type: number, length: number): this {
    return this.u16(length).u16(type);
  }

  finish(): Batch {
    return { bytes: this.#bytes.slice(0, this.#at), patches: this.#patches, messages: this.#messages };
  }
}

/** The batch with every patch written: for tests, and for a sender that knows the numbers already. */
export function applyPatches(batch: Batch, values: Partial<Record<PatchSource, number>>): Uint8Array {
  const bytes = batch.bytes.slice();
  const view = new DataView(bytes.buffer);
  for (const { offset, what } of batch.patches) {
    const value = values[what];
    if (value === undefined) throw new SampanError("internal", `The batch needs a value for ${what}`);
    view.setInt32(offset, value, true);
  }
  return bytes;
}
