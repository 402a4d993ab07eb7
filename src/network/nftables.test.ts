import { describe, expect, test } from "bun:test";
import { dockerUserRules } from "./docker-user.ts";
import { addPorts, buildRuleset, removeNetwork, removePorts } from "./nftables.ts";
import { bridgeNameFor, hostInterfaceFor, macFor, parseMacAddress } from "./model.ts";
import { assertInterfaceName } from "./rtnetlink/link.ts";

describe("text", () => {
  const port = { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" as const, ipv4: "10.0.0.2", ipv6: "fd00::2" };
  test("elements of ports, by family and address", () => {
    expect(
      addPorts([port]),
    ).toBe("add element inet sampan publish4 { tcp . 8080 : 10.0.0.2 . 80 }\nadd element inet sampan publish6 { tcp . 8080 : fd00::2 . 80 }\n");
    expect(addPorts([{ ...port, hostIp: "0.0.0.0" }])).not.toContain("publish6");
    expect(addPorts([{ ...port, hostIp: "::" }])).not.toContain("publish4");
    expect(addPorts([{ ...port, hostIp: "127.0.0.1" }])).toBe("add element inet sampan publish4_at { 127.0.0.1 . tcp . 8080 : 10.0.0.2 . 80 }\n");
    expect(addPorts([{ ...port, hostIp: "::1" }])).toBe("");
    expect(addPorts([])).toBe("");
    expect(removePorts([port]).split("\n").map((l) => l.split(" ")[0])).toEqual(["add", "add", "delete", "delete", ""]);
  });
  test("a thousand ports are one element list", () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ ...port, hostPort: 10000 + i }));
    expect(addPorts(many).split("\n")).toHaveLength(3);
  });
  test("nothing that was typed gets out of its quotes", () => {
    const network = { subnets: ["10.0.0.0/8"], internal: false, icc: true, masquerade: true };
    for (const bridge of ['x" }; flush ruleset; {"', "a b", "", "sixteen-letters-"]) {
      expect(() => buildRuleset({ networks: [{ ...network, bridge }], ports: [] })).toThrow("invalid interface name");
      expect(() => removeNetwork({ ...network, bridge })).toThrow("invalid interface name");
    }
    expect(() => buildRuleset({ networks: [{ ...network, bridge: "b", subnets: ["10.0.0.0/8 }"] }], ports: [] })).toThrow("invalid subnet");
    expect(() => addPorts([{ ...port, hostIp: "1.1.1.1 }" }])).toThrow("invalid host IP");
    expect(() => addPorts([{ ...port, hostPort: 0 }])).toThrow("0 is no port number");
    expect(() => addPorts([port], "x; flush ruleset")).toThrow("no name for an nftables table");
  });
  test("what is asked of every packet, not only of a flow's first, has no look-up in a concatenation with intervals: it costs a sixth of the throughput to the host", () => {
    const text = buildRuleset({ networks: [], ports: [] });
    const slow = [...text.matchAll(/set (\w+) \{ type [^;]* \. [^;]*; flags interval; \}/g)].map(([, name]) => `@${name}`);
    expect(slow).toEqual(["@subnets4", "@subnets6"]);
    for (const [chain, isNat] of [...text.matchAll(/chain \w+ \{(\s+type nat)?[^}]*(\{[^}]*\}[^}]*)*\}/g)].map(([all, nat]) => [
      all,
      nat !== undefined,
    ] as const))
      if (!isNat) for (const name of slow) expect(chain).not.toContain(name);
  });
  test("equal states give equal text, and the table is replaced in the same transaction", () => {
    const state = { networks: [{ bridge: "b", subnets: ["10.0.0.0/8"], internal: true, icc: false, masquerade: true }], ports: [port] };
    expect(buildRuleset(state)).toBe(buildRuleset(structuredClone(state)));
    expect(buildRuleset(state).startsWith("add table inet sampan\ndelete table inet sampan\ntable inet sampan {")).toBe(true);
    // Internal: not masqueraded, no pair for icc.
    expect(buildRuleset(state)).not.toMatch(/add element inet sampan (masquerade4|same_network)/);
  });
});

test("DOCKER-USER is left alone where it is not", () => {
  expect(dockerUserRules("", ["sampan0"])).toBe("");
  expect(dockerUserRules("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n", ["sampan0"])).toBe("");
  expect(dockerUserRules("*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -j RETURN\nCOMMIT\n", [])).toBe("");
  expect(() => dockerUserRules(":DOCKER-USER - [0:0]", ["x -j ACCEPT"])).toThrow("invalid interface name");
});

test("names of interfaces and MAC addresses", () => {
  const id = "0123456789abcdef".repeat(4);
  for (const name of [bridgeNameFor(id), hostInterfaceFor(id)]) expect(assertInterfaceName(name)).toHaveLength(15);
  expect(macFor("172.17.0.2/16")).toBe("02:42:ac:11:00:02");
  expect(macFor("fd00::2")).toBe("02:43:00:00:00:02");
  expect(parseMacAddress("02-42-AC-11-00-02")).toBe("02:42:ac:11:00:02");
  for (const bad of ["zz", "02:42:ac:11:00", "01:00:5e:00:00:01", "00:00:00:00:00:00", "02:42-ac:11:00:02"])
    expect(() => parseMacAddress(bad)).toThrow("is not a valid mac address");
});
