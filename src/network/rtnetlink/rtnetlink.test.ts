import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, RTM_NEWLINK } from "../../linux/netlink.ts";
import { cidrOf, formatCidr, formatIp } from "../ip.ts";
import {
  BatchWriter, applyPatches, decodeAddresses, decodeLinks, decodeMessages, decodeReplies, decodeRoutes, deleteAddress, deleteLink,
  formatMac, newAddress, newBridge, newRoute, newVeth, setLink,
} from "./index.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(formatMac);
const index = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const ip4 = fc.bigInt({ min: 1n, max: (1n << 32n) - 1n }).map((value) => ({ family: 4 as const, value }));
const ip6 = fc.bigInt({ min: 1n, max: (1n << 128n) - 1n }).map((value) => ({ family: 6 as const, value }));

describe("links", () => {
  test("a veth pair reads back as it was written, with its patch in place", () => {
    fc.assert(fc.property(name, name, mac, fc.integer({ min: 68, max: 65535 }), index, fc.boolean(), fc.integer({ min: 1, max: 100000 }), (
      a,
      b,
      address,
      mtu,
      at,
      up,
      pid,
    ) => {
      const w = new BatchWriter();
      newVeth(w, "veth", { name: a, mac: address, mtu, index: at, up, netns: { patch: "pid" } }, { name: b, mtu, netns: { fd: 9 } });
      const batch = w.finish();
      expect(decodeLinks(applyPatches(batch, { pid }))).toEqual([
        {
          index: at, name: a, up, loopback: false, mac: address, mtu, kind: "veth", netns: { pid },
          peer: { index: 0, name: b, up: false, loopback: false, mtu, netns: { fd: 9 } },
        },
      ]);
      expect(batch.patches).toHaveLength(1);
    }));
  });
  test("settings of a link and of its port", () => {
    fc.assert(fc.property(index, index, fc.boolean(), fc.boolean(), fc.boolean(), (at, master, up, hairpin, isolated) => {
      const w = new BatchWriter();
      setLink(w, "port", { index: at }, { masterIndex: master, up, noIpv6LinkLocal: up }, { hairpin, isolated });
      expect(decodeLinks(w.finish().bytes)).toEqual([{
        index: at, name: "", up, loopback: false, masterIndex: master, addrGenMode: up ? 1 : 0, bridgePort: { hairpin, isolated },
      }]);
    }));
  });
  test("names that the kernel would refuse never reach it", () => {
    for (const bad of ["", "a".repeat(16), "a/b", "a b", "a:b", ".", "..", "ééééééééé", "a\0b"]) {
      expect(() => newBridge(new BatchWriter(), "bridge", { name: bad })).toThrow("invalid interface name");
    }
    expect(() => newBridge(new BatchWriter(), "b", { name: "br", mac: "zz" })).toThrow("zz is not a valid mac address");
  });
});

describe("addresses and routes", () => {
  test("round-trip for both families", () => {
    const cases = fc.oneof(
      fc.tuple(ip4, fc.integer({ min: 1, max: 32 })),
      fc.tuple(ip6, fc.integer({ min: 1, max: 128 })),
    );
    fc.assert(fc.property(cases, index, fc.boolean(), ([ip, prefix], at, remove) => {
      const address = `${formatIp(ip)}/${prefix}`;
      const w = new BatchWriter();
      (remove ? deleteAddress : newAddress)(w, "address", { index: at, address });
      expect(decodeAddresses(w.finish().bytes)).toMatchObject([{ index: at, address }]);
    }));
    fc.assert(fc.property(cases, fc.oneof(ip4, ip6), index, fc.boolean(), fc.integer({ min: 1, max: 9999 }), ([ip, prefix], gw, at, onlink, metric) => {
      fc.pre(ip.family === gw.family);
      const destination = formatCidr(cidrOf(ip, prefix));
      const w = new BatchWriter();
      newRoute(w, "route", { destination, gateway: formatIp(gw), index: at, onlink, metric });
      expect(decodeRoutes(w.finish().bytes)).toMatchObject([{ family: ip.family, destination, gateway: formatIp(gw), index: at, onlink, metric }]);
    }));
  });
  test("families are not mixed, and text that is no address is told", () => {
    const w = new BatchWriter();
    expect(() => newRoute(w, "route", { destination: "10.0.0.0/8", gateway: "fd00::1" })).toThrow("not of the family");
    expect(() => newAddress(w, "address", { index: 1, address: "10.0.0.1" })).toThrow("invalid address 10.0.0.1");
  });
});

describe("batches", () => {
  test("messages follow each other, each asks for its acknowledgement under its own number", () => {
    const w = new BatchWriter();
    for (let i = 0; i < 100; i++) deleteLink(w, `link ${i}`, { name: `x${i}` });
    const batch = w.finish();
    expect(batch.messages.map((m) => m.label)).toEqual(Array.from({ length: 100 }, (_, i) => `link ${i}`));
    expect(batch.messages.every((m, i) => m.offset === (i === 0 ? 0 : batch.messages[i - 1]!.offset + batch.messages[i - 1]!.length) &&
      m.length % 4 === 0)).toBe(true);
    const decoded = decodeMessages(batch.bytes);
    expect(decoded.map((m) => m.seq)).toEqual(batch.messages.map((_, i) => i + 1));
    expect(decoded.every((m) => (m.flags & (NLM_F_ACK | NLM_F_REQUEST)) === (NLM_F_ACK | NLM_F_REQUEST))).toBe(true);
  });
  test("a missing patch value is an error, not a zero", () => {
    const w = new BatchWriter();
    newVeth(w, "veth", { name: "a", netns: { patch: "netns-fd" } }, { name: "b" });
    expect(() => applyPatches(w.finish(), { pid: 1 })).toThrow("netns-fd");
  });
  test("no bytes make the decoder do anything but answer or refuse", () => {
    const framed = fc.uint8Array({ maxLength: 120 }).map((body) => {
      const bytes = new Uint8Array(16 + body.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, bytes.length, true);
      view.setUint16(4, body.length % 3 === 0 ? RTM_NEWLINK : body.length % 3 === 1 ? NLMSG_ERROR : 24, true);
      view.setUint16(6, 0x200, true);
      bytes.set(body, 16);
      return bytes;
    });
    fc.assert(fc.property(fc.oneof(framed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const decode of [decodeLinks, decodeAddresses, decodeRoutes, decodeReplies]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(String(error)).toMatch(/Cannot decode netlink|An address has 4 or 16 bytes/);
        }
      }
    }), { numRuns: 500 });
  });
});
