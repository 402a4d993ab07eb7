import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import * as nl from "../../linux/netlink.ts";
import type { Call, Report } from "../../plan/index.ts";
import { Block, Plan } from "../../plan/index.ts";
import { decodeMessages } from "./decode.ts";

export type DumpSubject = "links" | "addresses" | "routes";

const SOCK_RAW = 3;
const MSG_DONTWAIT = 0x40;
const DUMP_PART = 32 * 1024;

/**
 * A request for all links, addresses or routes. No acknowledgement: the answers end with NLMSG_DONE, and a
 * message flagged NLM_F_DUMP_INTR says that something changed meanwhile, so that the dump has to be repeated.
 */
export function dumpRequest(what: DumpSubject): Uint8Array {
  const { type, headerLength } = {
    links: { type: nl.RTM_GETLINK, headerLength: 16 },
    addresses: { type: nl.RTM_GETADDR, headerLength: 8 },
    routes: { type: nl.RTM_GETROUTE, headerLength: 12 },
  }[what];
  const bytes = new Uint8Array(nl.NLMSG_HDRLEN + headerLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, nl.NLM_F_REQUEST | nl.NLM_F_DUMP, true);
  view.setUint32(8, 1, true);
  return bytes;
}

/**
 * All links, addresses or routes of the network namespace that is keel's, or of the one at a path, as messages to decode. `run`
 * executes a plan: neither Node nor Bun can open such a socket.
 */
export async function dumpNetwork(subject: DumpSubject, run: (plan: Plan) => Promise<Report>, netns?: string): Promise<Buffer> {
  for (let parts = 8; parts <= 8192; parts *= 4) {
    const { plan, read } = planDump(subject, parts, netns);
    const replies = read(await run(plan));
    if (replies !== undefined) return replies;
  }
  throw new SampanError("unavailable", `Cannot list the host's ${subject}: there are too many, or they never stop changing`);
}

/** One socket, as many reads; what was read is undefined if the end did not come within them, or if something changed meanwhile. */
function planDump(
  subject: DumpSubject,
  parts: number,
  netns: string | undefined,
): { readonly plan: Plan; readonly read: (report: Report) => Buffer | undefined } {
  const plan = new Plan();
  const line = plan.outer;
  const what = netns === undefined ? `list the host's ${subject}` : `list the ${subject} of the network namespace "${netns}"`;
  if (netns !== undefined) {
    const fd = line.call("openat", [C.AT_FDCWD, netns, C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "the namespace" });
    line.call("setns", [fd, C.CLONE_NEWNET], { what, why: "a socket belongs to the namespace that it is made in" });
  }
  const request = dumpRequest(subject);
  const socket = line.call("socket", [nl.AF_NETLINK, SOCK_RAW | C.O_CLOEXEC, nl.NETLINK_ROUTE], { what, why: "rtnetlink(7)" });
  line.call("setsockopt", [socket, nl.SOL_NETLINK, nl.NETLINK_CAP_ACK, new Block(4, "int").u32(0, 1), 4], { what, why: "short acknowledgements" });
  line.call("sendto", [socket, request, request.length, 0, null, 0], { what, expect: request.length });
  const reads: { at: number; call: Call }[] = [];
  for (let i = 0; i < parts; i++) {
    const { out } = plan.out(DUMP_PART);
    // The kernel makes the next part while this one is read, so there is none only after the last.
    reads.push({ at: out, call: line.call("recvfrom", [socket, { out }, DUMP_PART, MSG_DONTWAIT, null, null], { what, tolerate: ["EAGAIN"] }) });
  }
  line.exit(0);
  const read = (report: Report): Buffer | undefined => {
    const all = Buffer.concat(reads.map(({ at, call }) => report.out.subarray(at, at + Math.max(0, report.result(call.index).value))));
    const messages = decodeMessages(all);
    const whole = messages.some(({ type }) => type === nl.NLMSG_DONE) && !messages.some(({ flags }) => (flags & nl.NLM_F_DUMP_INTR) !== 0);
    return whole ? all : undefined;
  };
  return { plan, read };
}
