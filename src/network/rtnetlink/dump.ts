import * as nl from "../../linux/netlink.ts";

/**
 * A request for all links, addresses or routes. No acknowledgement: the answers end with NLMSG_DONE, and a
 * message flagged NLM_F_DUMP_INTR says that something changed meanwhile, so that the dump has to be repeated.
 */
export function dumpRequest(what: "links" | "addresses" | "routes"): Uint8Array {
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
