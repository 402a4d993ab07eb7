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

/**
 * For a NETLINK_NETFILTER socket: forgets the UDP flows to the given host ports (before a port is published, and after it is
 * withdrawn) and those that containers of the given addresses answer. ENOENT says that there was none. Older kernels know
 * filters for listing only and answer EINVAL here: then such flows end 30 to 120 s after their last packet.
 */
export function forgetUdpFlows(ports: readonly number[], containerAddresses: readonly string[]): Batch {
  const w = new BatchWriter();
  const message = (family: number, label: string, direction: "orig" | "reply", compared: number, tuple: () => void): void => {
    const orig = direction === "orig";
    w.message(label, nl.CTNETLINK_DELETE, 0, () => {
      w.u8(family).u8(0).u16(0); // struct nfgenmsg: family, version, resource id
      w.nest(orig ? nl.CTA_TUPLE_ORIG : nl.CTA_TUPLE_REPLY, tuple);
      w.nest(nl.CTA_FILTER, () => w.attrU32(nl.CTA_FILTER_ORIG_FLAGS, orig ? compared : 0).attrU32(nl.CTA_FILTER_REPLY_FLAGS, orig ? 0 : compared));
    });
  };
  for (const port of new Set(ports)) {
    for (const family of [nl.AF_INET, nl.AF_INET6]) {
      message(family, `${FORGET} to port ${port}`, "orig", nl.CTA_FILTER_F_PROTO_NUM | nl.CTA_FILTER_F_PROTO_DST_PORT, () =>
        w.nest(nl.CTA_TUPLE_PROTO, () => w.attrU8(nl.CTA_PROTO_NUM, nl.IPPROTO_UDP).attr(nl.CTA_PROTO_DST_PORT, Uint8Array.of(port >> 8, port & 255))),
      );
    }
  }
  for (const address of new Set(containerAddresses)) {
    const ip = requireIp(address);
    message(ip.family === 4 ? nl.AF_INET : nl.AF_INET6, `${FORGET} with ${address}`, "reply", nl.CTA_FILTER_F_IP_SRC | nl.CTA_FILTER_F_PROTO_NUM, () => {
      w.nest(nl.CTA_TUPLE_IP, () => w.attr(ip.family === 4 ? nl.CTA_IP_V4_SRC : nl.CTA_IP_V6_SRC, ipToBytes(ip)));
      w.nest(nl.CTA_TUPLE_PROTO, () => w.attrU8(nl.CTA_PROTO_NUM, nl.IPPROTO_UDP));
    });
  }
  return w.finish();
}
