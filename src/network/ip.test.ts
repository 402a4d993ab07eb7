import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import { cidrOf, contains, formatCidr, formatIp, ipFromBytes, ipToBytes, isLoopback, lastOf, overlaps, parseCidr, parseIp } from "./ip.ts";
import type { IpAddress } from "./ip.ts";

const anyIp: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value): IpAddress => ({ family: 4, value })),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value): IpAddress => ({ family: 6, value })),
  // Sparse addresses, where zero compression has choices.
  fc.array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 }).map((gs): IpAddress => ({
    family: 6,
    value: gs.reduce((v: bigint, g: bigint) => (v << 16n) | g, 0n),
  })),
);

describe("addresses", () => {
  test("text and bytes round-trip", () => {
    fc.assert(fc.property(anyIp, (ip) => {
      expect(parseIp(formatIp(ip))).toEqual(ip);
      expect(ipFromBytes(ipToBytes(ip))).toEqual(ip);
    }));
  });
  test("IPv6 is written as the URL standard's own serialiser writes it", () => {
    fc.assert(fc.property(anyIp, (ip) => {
      if (ip.family !== 6 || ip.value >> 32n === 0xffffn) return;
      expect(formatIp(ip)).toBe(new URL(`http://[${formatIp(ip)}]/`).hostname.slice(1, -1));
    }));
  });
  test("accepts what node:net accepts, zones aside", () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/)), (text) => {
      expect(parseIp(text)?.family ?? 0).toBe(isIP(text));
    }), { numRuns: 500 });
  });
  test.each([
    "", "1.2.3", "1.2.3.04", "0x7f.0.0.1", "1.2.3.256", "fe80::1%eth0", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", " 1.2.3.4",
  ])("%p is no address", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
  test("loopback in every spelling", () => {
    for (const text of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.53"]) expect(isLoopback(parseIp(text)!)).toBe(true);
    for (const text of ["128.0.0.1", "::2", "::ffff:10.0.0.1"]) expect(isLoopback(parseIp(text)!)).toBe(false);
  });
});

describe("subnets", () => {
  test("host bits are told, with what was meant", () => {
    expect(() => parseCidr("10.1.2.3/16")).toThrow("invalid subnet 10.1.2.3/16: it should be 10.1.0.0/16");
    expect(() => parseCidr("10.1.0.0")).toThrow("invalid subnet 10.1.0.0: invalid CIDR block notation");
    for (const bad of ["10.0.0.0/33", "fd00::/129", "10.0.0.0/", "/8", "10.0.0.0/08", "10.0.0.0/-1", "x/8"])
      expect(() => parseCidr(bad)).toThrow("invalid CIDR block notation");
    expect(formatCidr(parseCidr("fd00:0::/64"))).toBe("fd00::/64");
  });
  test("overlap is containment of one in the other, and symmetric", () => {
    const cidr = fc.tuple(fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), fc.integer({ min: 0, max: 32 })).map(([value, prefix]) => cidrOf(
      { family: 4, value },
      prefix,
    ));
    fc.assert(fc.property(cidr, cidr, (a, b) => {
      const held = contains(a, { family: 4, value: b.base }) || contains(b, { family: 4, value: a.base });
      expect(overlaps(a, b)).toBe(held);
      expect(overlaps(b, a)).toBe(held);
      expect(contains(a, { family: 4, value: lastOf(a) })).toBe(true);
    }));
    expect(overlaps(parseCidr("0.0.0.0/0"), parseCidr("::/0"))).toBe(false);
  });
});
