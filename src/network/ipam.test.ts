import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allocate, choosePrivateSubnet, chooseUniqueLocalSubnet, defaultGateway, findOverlap, poolProblems, uniqueLocalSubnet } from "./ipam.ts";
import type { AddressPool } from "./ipam.ts";
import { cidrOf, contains, formatCidr, lastOf, parseCidr, parseIp } from "./ip.ts";

const poolOf = (subnet: string, more: Partial<AddressPool> = {}): AddressPool => ({ subnet, gateway: defaultGateway(parseCidr(subnet)), ...more });

/** Takes addresses until the pool says no. */
function drain(pool: AddressPool): string[] {
  const leases: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    try {
      const got = allocate("n", pool, { leases, ...(cursor === undefined ? {} : { cursor }) });
      leases.push(got.address);
      cursor = got.cursor;
    } catch (error) {
      expect(String(error)).toContain("no available IPv");
      return leases;
    }
  }
}

describe("allocate", () => {
  test("a /29 holds five containers beside its gateway, and says so at the sixth", () => {
    expect(drain(poolOf("10.9.0.0/29"))).toEqual(["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"]);
  });
  test("every usable address once; never network, broadcast, gateway or an auxiliary one", () => {
    const small = fc.tuple(fc.bigInt({ min: 1n << 24n, max: (1n << 31n) - 1n }), fc.integer({ min: 24, max: 30 })).map(([value, prefix]) => cidrOf({ family: 4, value }, prefix));
    fc.assert(fc.property(small, fc.nat(), fc.nat(), (subnet, g, x) => {
      const size = Number(lastOf(subnet) - subnet.base) - 1;
      const at = (n: number) => `${subnet.base + 1n + BigInt(n % size)}`;
      const text = (decimal: string) => { const n = Number(decimal); return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`; };
      const gateway = text(at(g));
      const aux = text(at(x));
      const got = drain({ subnet: formatCidr(subnet), gateway, auxAddresses: { other: aux } });
      expect(new Set(got).size).toBe(got.length);
      expect(got.length).toBe(size - new Set([gateway, aux]).size);
      for (const address of got) {
        const ip = parseIp(address)!;
        expect(contains(subnet, ip)).toBe(true);
        expect([subnet.base, lastOf(subnet)]).not.toContain(ip.value);
        expect([gateway, aux]).not.toContain(address);
      }
    }), { numRuns: 40 });
  });
  test("a released address comes again last", () => {
    const pool = poolOf("10.9.0.0/29");
    expect(allocate("n", pool, { leases: ["10.9.0.3"], cursor: "10.9.0.3" }).address).toBe("10.9.0.4");
    expect(allocate("n", pool, { leases: [], cursor: "10.9.0.6" }).address).toBe("10.9.0.2");
  });
  test("--ip-range limits what is handed out, not what may be wished", () => {
    const pool = poolOf("10.9.0.0/16", { ipRange: "10.9.5.0/30" });
    expect(drain(pool)).toEqual(["10.9.5.0", "10.9.5.1", "10.9.5.2", "10.9.5.3"]);
    expect(allocate("n", pool, { leases: [], cursor: "10.9.5.1" }, "10.9.200.7")).toEqual({ address: "10.9.200.7", interfaceAddress: "10.9.200.7/16", cursor: "10.9.5.1" });
    expect(drain(poolOf("10.9.0.0/16", { ipRange: "10.9.0.0/30" }))).toEqual(["10.9.0.2", "10.9.0.3"]);
  });
  test("IPv6 is handed out from a /64 at once", () => {
    const pool = poolOf("fd00:1::/64");
    expect(pool.gateway).toBe("fd00:1::1");
    expect(allocate("n", pool, { leases: [] }).interfaceAddress).toBe("fd00:1::2/64");
    expect(allocate("n", pool, { leases: ["fd00:1::2"], cursor: "fd00:1::ffff" }).address).toBe("fd00:1::1:0");
    expect(allocate("n", pool, { leases: [], cursor: "fd00:1::ffff:ffff:ffff:ffff" }).address).toBe("fd00:1::2");
  });
  test.each([
    ["10.9.0.1", "Address already in use: 10.9.0.1 is the gateway"],
    ["10.9.0.0", "it is the network address of 10.9.0.0/24"],
    ["10.9.0.255", "it is the broadcast address of 10.9.0.0/24"],
    ["10.9.1.1", "It does not belong to any of this network's subnets"],
    ["fd00::1", "It does not belong to any of this network's subnets"],
    ["10.9.0.9", "Address already in use: 10.9.0.9 belongs to another container"],
    ["10.9.0.8", "Address already in use: 10.9.0.8 is reserved"],
    ["banana", "invalid IP address banana"],
  ])("--ip %s is refused", (wanted, message) => {
    const pool = poolOf("10.9.0.0/24", { auxAddresses: { router: "10.9.0.8" } });
    expect(() => allocate("n", pool, { leases: ["10.9.0.9"] }, wanted)).toThrow(message);
  });
});

describe("pools", () => {
  test.each([
    [{ subnet: "10.0.0.5/24" }, "it should be 10.0.0.0/24"],
    [{ subnet: "10.0.0.0/31" }, "it should be /30 or larger"],
    [{ subnet: "10.0.0.0/32" }, "too small"],
    [{ subnet: "fd00::/127" }, "it should be /126 or larger"],
    [{ subnet: "0.0.0.0/0" }, "not a block of unicast addresses"],
    [{ subnet: "127.1.0.0/16" }, "not a block of unicast addresses"],
    [{ subnet: "239.0.0.0/8" }, "not a block of unicast addresses"],
    [{ subnet: "fe80::/64" }, "not a block of unicast addresses"],
    [{ subnet: "::ffff:10.0.0.0/120" }, "not a block of unicast addresses"],
    [{ subnet: "10.0.0.0/24", gateway: "10.0.1.1" }, "parent subnet 10.0.0.0/24 doesn't contain this address"],
    [{ subnet: "10.0.0.0/24", gateway: "10.0.0.0" }, "it is the network address"],
    [{ subnet: "10.0.0.0/24", gateway: "x" }, "invalid gateway x: invalid address"],
    [{ subnet: "10.0.0.0/24", ipRange: "10.0.0.0/16" }, "bigger than its parent subnet"],
    [{ subnet: "10.0.0.0/24", ipRange: "10.0.1.0/28" }, "not within its parent subnet"],
    [{ subnet: "10.0.0.0/24", ipRange: "fd00::/64" }, "not within its parent subnet"],
    [{ subnet: "10.0.0.0/24", ipRange: "10.0.0.1/28" }, "invalid ip-range 10.0.0.1/28: it should be 10.0.0.0/28"],
    [{ subnet: "10.0.0.0/24", gateway: "10.0.0.1", auxAddresses: { a: "10.0.0.1" } }, "it is the gateway"],
  ])("%p", (pool, message) => {
    expect(poolProblems(pool).join("\n")).toContain(message);
  });
  test("what is right has no problem", () => {
    expect(poolProblems({ subnet: "10.0.0.0/30", gateway: "10.0.0.2", ipRange: "10.0.0.0/30" })).toEqual([]);
    expect(poolProblems({ subnet: "fd00::/126" })).toEqual([]);
  });
});

describe("free subnets", () => {
  test("no overlap with any route of the host or another network, and always private", () => {
    expect(choosePrivateSubnet(["default", "0.0.0.0/0", "10.0.0.0/8"], [])).toBe("172.17.0.0/16");
    expect(choosePrivateSubnet(["172.17.0.0/16", "172.18.3.4"], ["172.19.128.0/17", "fd00::/64"])).toBe("172.20.0.0/16");
    expect(choosePrivateSubnet(["172.16.0.0/12"], ["192.168.0.0/24"])).toBe("192.168.16.0/20");
    expect(choosePrivateSubnet(["172.16.0.0/12", "192.168.0.0/16"], ["10.255.7.0/24"])).toBe("10.254.0.0/16");
    const rfc1918 = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    expect(choosePrivateSubnet(rfc1918, [])).toBe("100.127.0.0/16");
    expect(() => choosePrivateSubnet([...rfc1918, "100.64.0.0/10"], [])).toThrow("non-overlapping IPv4 address pool");
  });
  test("more networks fit than Docker's 31, none over another", () => {
    const made: string[] = [];
    for (let i = 0; i < 40; i++) made.push(choosePrivateSubnet([], made));
    made.forEach((subnet, i) => expect(findOverlap(subnet, made.toSpliced(i, 1))).toBeUndefined());
    expect(made[31]).toBe("10.255.0.0/16");
  });
  test("unique local subnets lie in fd00::/8 and differ", () => {
    const id = Uint8Array.of(1, 2, 3, 4, 5);
    expect(uniqueLocalSubnet(id, 0)).toBe("fd01:203:405::/64");
    expect(chooseUniqueLocalSubnet(id, ["fd01:203:405::/64"], ["fd01:203:405:1::/64"])).toBe("fd01:203:405:2::/64");
  });
  test("overlap is named", () => {
    expect(findOverlap("10.0.0.0/8", ["default", "192.0.2.0/24", "10.4.0.0/16"])).toBe("10.4.0.0/16");
    expect(findOverlap("10.0.0.0/8", ["default", "11.0.0.0/8", "10::/8"])).toBeUndefined();
  });
});
