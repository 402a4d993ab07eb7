import { describe, expect, test } from "bun:test";
import { resolveNetwork, validateNetworkCreate } from "./create.ts";
import type { NetworkCreateRequest, NetworkFacts } from "./create.ts";

const request = (more: Partial<NetworkCreateRequest> = {}): NetworkCreateRequest => ({
  name: "net", driver: "bridge", pools: [], internal: false, ipv6: false, attachable: false, labels: {}, options: {}, ...more,
});
const made = { id: "0123456789abcdef".repeat(4), created: "2026-01-01T00:00:00Z" };
const nothing: NetworkFacts = { networks: [], hostRoutes: ["default"], interfaces: ["lo", "eth0"], ulaGlobalId: Uint8Array.of(1, 2, 3, 4, 5) };
const facts: NetworkFacts = {
  ...nothing,
  networks: [resolveNetwork(request({ name: "old", options: { bridge: "old0" } }), nothing, made)],
  hostRoutes: ["default", "192.0.2.0/24", "172.17.0.0/16"],
};

describe("validateNetworkCreate", () => {
  test("nothing is wrong with what is right", () => {
    expect(validateNetworkCreate(request(), facts)).toEqual([]);
    expect(validateNetworkCreate(request({
      ipv6: true,
      pools: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.9" }, { subnet: "fd00:7::/64" }],
      options: { mtu: "1400", icc: "false", "com.docker.network.bridge.name": "br-x" },
    }), facts)).toEqual([]);
  });
  test.each<[Partial<NetworkCreateRequest>, string]>([
    [{ name: "" }, "invalid network name"],
    [{ name: "../x" }, "invalid network name"],
    [{ name: "old" }, "network with name old already exists"],
    [{ name: "host" }, "operation is not permitted on predefined host network"],
    [{ name: "default" }, "operation is not permitted on predefined default network"],
    [{ name: "n".repeat(256) }, "it is 256 characters long, and 255 are the most"],
    [{ driver: "overlay" }, "could not find plugin overlay in v1 plugin registry: plugin not found"],
    [{ driver: "host" }, 'only one instance of "host" network is allowed'],
    [{ pools: [{ subnet: "banana" }] }, "invalid subnet banana: invalid CIDR block notation"],
    [{ pools: [{ subnet: "10.0.0.0/31" }] }, "too small"],
    [{ pools: [{ subnet: "172.17.4.0/24" }] }, 'Pool overlaps with other one on this address space: 172.17.4.0/24 with that of network "old"'],
    [{ pools: [{ subnet: "192.0.0.0/16" }] }, "with the host's route to 192.0.2.0/24"],
    [{ pools: [{ subnet: "10.0.0.0/24" }, { subnet: "10.0.1.0/24" }] }, "a network has one IPv4 subnet"],
    [{ pools: [{ subnet: "fd00::/64" }] }, "needs --ipv6"],
    [{ options: { mtu: "9x" } }, "invalid option mtu=9x"],
    [{ options: { mtu: "67" } }, "invalid option mtu=67"],
    [{ options: { mtu: "1279" }, ipv6: true }, "from 1280"],
    [{ options: { icc: "maybe" } }, "invalid option icc=maybe"],
    [{ options: { bridge: "sixteen-letters-" } }, "invalid option bridge"],
    [{ options: { bridge: "eth0" } }, "bridge name eth0 is taken"],
    [{ options: { bridge: "old0" } }, "bridge name old0 is taken"],
    [{ options: { colour: "red" } }, "unknown option colour"],
    [{ options: { "host-binding": "x" } }, "not an IPv4 address"],
  ])("%j", (more, message) => {
    expect(validateNetworkCreate(request(more), facts).join("\n")).toContain(message);
  });
  test("all problems are told at once", () => {
    expect(validateNetworkCreate(request({ name: "!", driver: "x", options: { y: "z" } }), facts)).toHaveLength(3);
  });
});

describe("resolveNetwork", () => {
  test("chooses what was left open", () => {
    expect(resolveNetwork(request({ ipv6: true }), facts, made)).toMatchObject({
      bridge: "sp-0123456789ab",
      pools: [{ subnet: "172.18.0.0/16", gateway: "172.18.0.1" }, { subnet: "fd01:203:405::/64", gateway: "fd01:203:405::1" }],
      icc: true,
      masquerade: true,
      mtu: 0,
    });
  });
  test("keeps what was asked for", () => {
    expect(resolveNetwork(request({
      pools: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.9", ipRange: "10.1.0.128/25" }],
      options: { "com.docker.network.driver.mtu": "1400", icc: "0" },
    }), facts, made)).toMatchObject({
      pools: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.9", ipRange: "10.1.0.128/25" }],
      mtu: 1400,
      icc: false,
    });
  });
});
