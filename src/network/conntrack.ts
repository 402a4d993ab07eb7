import * as nl from "../linux/netlink.ts";
import { ipToBytes, requireIp } from "./ip.ts";
import { BatchWriter } from "./rtnetlink/batch.ts";
import type { Batch } from "./rtnetlink/batch.ts";

/**
 * Flows that the kernel remembers and that have become wrong. Address translation is decided by a flow's first packet; a UDP
 * client that keeps sending keeps its flow, and would for ever miss a port that was published, or reach for one that has
 * moved, after it began. TCP ends by itself.
 */
const FORGET = "forget UDP flows";

/** Each message walks all that the kernel remembers, half a millisecond, so more ports than this are not asked for one by one. */
const MANY_PORTS = 8;
/** Acknowledgements wait in the socket's buffer, which holds some two hundred. */
const MESSAGES_AT_ONCE = 64;

/**
 * For a NETLINK_NETFILTER socket, one batch after the other: forgets the UDP flows to the given host ports (before a port is published,
 * and after it is withdrawn) and those that containers of the given addresses answer. Where the ports are many, all flows that the host
 * itself answers are forgotten in their place: what was not translated is taken up again with the next packet as it was. ENOENT says
 * that there was none. Older kernels know filters for listing only and answer EINVAL here: then such flows end 30 to 120 s after their last packet.
 */
export function forgetUdpFlows(ports: readonly number[], containerAddresses: readonly string[], hostAddresses: readonly string[] = []): Batch[] {
  const wanted = [...new Set(ports)];
  const isMany = wanted.length > MANY_PORTS;
  const messages = isMany ? [] : wanted.flatMap((port) => [nl.AF_INET, nl.AF_INET6].map((family) => toPort(port, family)));
  messages.push(...[...new Set([...containerAddresses, ...(isMany ? hostAddresses : [])])].map(answeredBy));
  return Array.from({ length: Math.ceil(messages.length / MESSAGES_AT_ONCE) }, (_, i) => {
    const w = new BatchWriter();
    for (const write of messages.slice(i * MESSAGES_AT_ONCE, (i + 1) * MESSAGES_AT_ONCE)) write(w);
    return w.finish();
  });
}

type Message = (w: BatchWriter) => void;

function toPort(port: number, family: number): Message {
  return message(family, `${FORGET} to port ${port}`, "orig", nl.CTA_FILTER_F_PROTO_NUM | nl.CTA_FILTER_F_PROTO_DST_PORT, (w) =>
    w.nest(nl.CTA_TUPLE_PROTO, () => w.attrU8(nl.CTA_PROTO_NUM, nl.IPPROTO_UDP).attr(nl.CTA_PROTO_DST_PORT, Uint8Array.of(port >> 8, port & 255))),
  );
}

function answeredBy(address: string): Message {
  const ip = requireIp(address);
  return message(ip.family === 4 ? nl.AF_INET : nl.AF_INET6, `${FORGET} with ${address}`, "reply", nl.CTA_FILTER_F_IP_SRC | nl.CTA_FILTER_F_PROTO_NUM, (w) => {
    w.nest(nl.CTA_TUPLE_IP, () => w.attr(ip.family === 4 ? nl.CTA_IP_V4_SRC : nl.CTA_IP_V6_SRC, ipToBytes(ip)));
    w.nest(nl.CTA_TUPLE_PROTO, () => w.attrU8(nl.CTA_PROTO_NUM, nl.IPPROTO_UDP));
  });
}

/** `compared` says what of the tuple counts. */
function message(family: number, label: string, direction: "orig" | "reply", compared: number, tuple: Message): Message {
  const isOrig = direction === "orig";
  return (w) =>
    w.message(label, nl.CTNETLINK_DELETE, 0, () => {
      w.u8(family).u8(0).u16(0); // struct nfgenmsg: family, version, resource id
      w.nest(isOrig ? nl.CTA_TUPLE_ORIG : nl.CTA_TUPLE_REPLY, () => { tuple(w); });
      w.nest(nl.CTA_FILTER, () => w.attrU32(nl.CTA_FILTER_ORIG_FLAGS, isOrig ? compared : 0).attrU32(nl.CTA_FILTER_REPLY_FLAGS, isOrig ? 0 : compared));
    });
}
