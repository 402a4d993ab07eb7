import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { ErrnoName } from "../linux/errno.ts";
import type { Context, Fd } from "./context.ts";
import type { NetlinkBatch } from "./launch.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
/** nlmsghdr, the error number, and the header of the message it answers (netlink(7), NETLINK_CAP_ACK). */
const ACK_SIZE = 36;

/**
 * One batch of rtnetlink messages: one send, then one acknowledgement per message, each checked, so that the message
 * that failed is known by its label. The namespace is that of the side which sends. Gives the last message's acknowledgement.
 */
export function sendNetlink(
  { where }: Pick<Context, "where">,
  line: Line,
  batch: NetlinkBatch,
  pid: Call | undefined,
  tolerate: readonly ErrnoName[] = [],
): Call | undefined {
  let last: Call | undefined;
  const what = `configure the network ${where}`;
  const socket: Fd = line.call("socket", [AF_NETLINK, SOCK_RAW | C.O_CLOEXEC, NETLINK_ROUTE], { what, why: "rtnetlink(7)" });
  line.call("setsockopt", [socket, SOL_NETLINK, NETLINK_CAP_ACK, new Block(4, "int").u32(0, 1), 4], { what, why: "short acknowledgements" });
  const bytes = new Block(Uint8Array.from(batch.bytes), "rtnetlink messages");
  for (const { offset } of batch.patches)
    if (pid) line.patch(bytes, offset, pid, "u32", { why: "the namespace is the child's" });
  line.call("sendto", [socket, bytes, batch.bytes.length, 0, null, 0], {
    what,
    why: batch.messages.map(({ label }) => label).join(", "),
    expect: batch.bytes.length,
  });
  for (const { label } of batch.messages) {
    const ack = new Block(64, "struct nlmsgerr");
    line.call("recvfrom", [socket, ack, ACK_SIZE, 0, null, null], { what: `${label} ${where}`, why: "its acknowledgement" });
    last = line.check({ load32: ack, offset: 16 }, { what: `${label} ${where}`, why: "0, or what the kernel had against it", tolerate });
  }
  line.call("close", [socket], { what, why: "done with it" });
  return last;
}
