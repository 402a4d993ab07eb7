// The packet filter by effect: real traffic between network namespaces, over what buildRuleset makes. Needs root, nft, iptables, python3.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { attachFromHost, configureBridge, configureFromContainer, createBridge } from "../../src/network/attach.ts";
import type { Attachment } from "../../src/network/attach.ts";
import { interfaceIndexFor, macFor } from "../../src/network/model.ts";
import { NETLINK_NETFILTER } from "../../src/linux/netlink.ts";
import { forgetUdpFlows } from "../../src/network/conntrack.ts";
import { dockerUserRules } from "../../src/network/docker-user.ts";
import { addPorts, buildRuleset, removeNetwork, removePorts } from "../../src/network/nftables.ts";
import type { FirewallNetwork, FirewallPort } from "../../src/network/nftables.ts";
import { send } from "../support/netlink.ts";
import { createNetns } from "../support/netns.ts";
import type { Netns } from "../support/netns.ts";
import { CLIENT, SERVER } from "../support/traffic.ts";

// Many small commands, on machines that may be busy.
setDefaultTimeout(60_000);

type Answers = Record<string, string>;

/** { "tcp,10.0.0.1,80": "web 10.0.0.2" } */
function ask(ns: Netns, ...specs: string[]): Answers {
  const answers = ns.run("/usr/bin/python3", "-c", CLIENT, ...specs).trimEnd().split("\n");
  return Object.fromEntries(specs.map((spec, i) => [spec, answers[i] ?? ""]));
}

const net = (bridge: string, subnets: string[], more: Partial<FirewallNetwork> = {}): FirewallNetwork => ({ bridge, subnets, internal: false, icc: true, masquerade: true, ...more });
const NETS = {
  a: net("sampan0", ["172.29.0.0/24", "fd11:a::/64"]),
  b: net("sp-0123456789ab", ["172.30.0.0/24", "fd11:b::/64"]),
  internal: net("sp-internal00000".slice(0, 15), ["172.31.0.0/24"], { internal: true }),
  noicc: net("sp-noicc", ["192.168.96.0/24"], { icc: false }),
};
const port = (hostIp: string, hostPort: number, containerPort: number, ipv4: string, ipv6?: string, protocol: "tcp" | "udp" = "tcp"): FirewallPort => ({ hostIp, hostPort, containerPort, protocol, ipv4, ...(ipv6 === undefined ? {} : { ipv6 }) });
const PORTS = [
  port("", 8080, 80, "172.29.0.2", "fd11:a::2"),
  port("", 5353, 53, "172.29.0.2", "fd11:a::2", "udp"),
  port("127.0.0.1", 8081, 80, "172.29.0.3"),
  port("198.51.100.1", 8082, 80, "172.30.0.2", "fd11:b::2"),
  port("0.0.0.0", 8083, 80, "172.30.0.2", "fd11:b::2"),
  port("", 8084, 80, "192.168.96.2"),
  port("::", 8085, 80, "172.30.0.2", "fd11:b::2"),
  port("2001:db8::1", 8086, 80, "172.30.0.2", "fd11:b::2"),
  // The engine makes none for an internal network; if it did, nobody should come in by it.
  port("", 8087, 80, "172.31.0.2"),
];

class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly boxes = new Map<string, Netns>();

  async open(): Promise<void> {
    const host = await this.#add("host");
    const outside = await this.#add("outside");
    host.run("ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", outside.name);
    host.run("sh", "-c", "ip addr add 198.51.100.1/24 dev wan; ip addr add 2001:db8::1/64 dev wan nodad; ip link set wan up");
    // The outside knows a way to the containers' subnets by the host: it must not help it.
    outside.run("sh", "-c", "ip addr add 198.51.100.9/24 dev eth0; ip addr add 2001:db8::9/64 dev eth0 nodad; ip link set eth0 up; ip route add 172.16.0.0/12 via 198.51.100.1; ip -6 route add fd11::/16 via 2001:db8::1");
    await outside.serve("/usr/bin/python3", "-c", SERVER, "outside");
    await host.serve("/usr/bin/python3", "-c", SERVER, "host");
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    const gateways = { a: ["172.29.0.1/24", "fd11:a::1/64"], b: ["172.30.0.1/24", "fd11:b::1/64"], internal: ["172.31.0.1/24"], noicc: ["192.168.96.1/24"] };
    for (const [key, network] of Object.entries(NETS)) {
      // The same keys in both.
      const bridge = { name: network.bridge, mac: macFor(gateways[key as keyof typeof gateways][0] ?? ""), mtu: 0, addresses: gateways[key as keyof typeof gateways] };
      send(host, createBridge(bridge));
      send(host, configureBridge(bridge, this.#bridgeIndex(bridge.name)));
      host.run("sysctl", "-qw", `net.ipv4.conf.${network.bridge}.route_localnet=1`);
    }
    await this.#container("a1", "a", ["172.29.0.2/24", "fd11:a::2/64"]);
    await this.#container("a2", "a", ["172.29.0.3/24", "fd11:a::3/64"]);
    await this.#container("b1", "b", ["172.30.0.2/24", "fd11:b::2/64"]);
    await this.#container("i1", "internal", ["172.31.0.2/24"]);
    await this.#container("i2", "internal", ["172.31.0.3/24"]);
    await this.#container("n1", "noicc", ["192.168.96.2/24"]);
    await this.#container("n2", "noicc", ["192.168.96.3/24"]);
    this.nft(buildRuleset({ networks: Object.values(NETS), ports: PORTS }));
  }

  async #add(name: string): Promise<Netns> {
    const ns = this.#stack.use(await createNetns());
    this.boxes.set(name, ns);
    return ns;
  }

  async #container(name: string, network: keyof typeof NETS, addresses: string[]): Promise<void> {
    const ns = await this.#add(name);
    const host = this.get("host");
    const bridge = NETS[network].bridge;
    const attachment: Attachment = {
      hostInterface: `v${name}`,
      interfaceName: "eth0",
      interfaceIndex: interfaceIndexFor(0),
      bridgeIndex: this.#bridgeIndex(bridge),
      mac: macFor(addresses[0] ?? ""),
      mtu: 0,
      addresses,
      gateways: addresses.map((a) => a.replace(/[0-9]+\/.*$/, "1")),
      isolated: !NETS[network].icc,
    };
    send(host, attachFromHost([attachment], "pid"), { pid: ns.pid });
    send(ns, configureFromContainer([attachment]));
    await ns.serve("/usr/bin/python3", "-c", SERVER, name);
  }

  #bridgeIndex(name: string): number {
    return (this.get("host").ip("link", "show", name) as [{ ifindex: number }])[0].ifindex;
  }

  get(name: string): Netns {
    const ns = this.boxes.get(name);
    if (ns === undefined) throw new Error(`no ${name}`);
    return ns;
  }

  nft(text: string): void {
    const r = this.get("host").attempt(["nft", "-f", "-"], text);
    if (r.code !== 0) throw new Error(`${r.stderr}\n${text}`);
  }

  /** The ruleset without what depends on its history: handles, and the order within sets. */
  ruleset(): unknown {
    const value = JSON.parse(this.get("host").run("nft", "-j", "list", "ruleset")) as { nftables: Record<string, { handle?: number; elem?: unknown[] }>[] };
    for (const item of value.nftables) for (const thing of Object.values(item)) {
      delete thing.handle;
      thing.elem?.sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
    }
    return value.nftables;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

let world: World;
beforeAll(async () => {
  world = new World();
  await world.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

// Where br_netfilter is loaded, as beside Docker and Kubernetes, bridged frames pass the IP hooks too: all must hold in both cases.
const cases = existsSync("/proc/sys/net/bridge") ? ["0", "1"] : ["absent"];
describe.each(cases)("bridge-nf-call-iptables %s", (value) => {
  beforeAll(() => {
    if (value !== "absent") world.get("host").run("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${value}`, `net.bridge.bridge-nf-call-ip6tables=${value}`);
    else console.log("br_netfilter is not in this kernel: only the case without it is tested");
  });

  test("from outside: published ports, with the client's address; nothing else, and not by the container's own address", () => {
    expect(ask(world.get("outside"), "tcp,198.51.100.1,8080", "tcp,2001:db8::1,8080", "udp,198.51.100.1,5353", "udp,2001:db8::1,5353", "tcp,198.51.100.1,8082", "tcp,198.51.100.1,8083", "tcp,198.51.100.1,8084", "tcp,2001:db8::1,8085", "tcp,2001:db8::1,8086",
      "tcp,198.51.100.1,8081", "tcp,198.51.100.1,8085", "tcp,2001:db8::1,8083", "tcp,2001:db8::1,8082",
      "tcp,172.29.0.2,80", "tcp,172.29.0.3,80", "tcp,fd11:a::2,80", "udp,172.29.0.2,53", "tcp,172.31.0.2,80", "tcp,198.51.100.1,8087")).toEqual({
      "tcp,198.51.100.1,8080": "a1 198.51.100.9",
      "tcp,2001:db8::1,8080": "a1 2001:db8::9",
      "udp,198.51.100.1,5353": "a1 198.51.100.9",
      "udp,2001:db8::1,5353": "a1 2001:db8::9",
      "tcp,198.51.100.1,8082": "b1 198.51.100.9",
      "tcp,198.51.100.1,8083": "b1 198.51.100.9",
      "tcp,198.51.100.1,8084": "n1 198.51.100.9",
      "tcp,2001:db8::1,8085": "b1 2001:db8::9",
      "tcp,2001:db8::1,8086": "b1 2001:db8::9",
      "tcp,198.51.100.1,8081": "refused",
      "tcp,198.51.100.1,8085": "refused",
      "tcp,2001:db8::1,8083": "refused",
      "tcp,2001:db8::1,8082": "refused",
      "tcp,172.29.0.2,80": "timeout",
      "tcp,172.29.0.3,80": "timeout",
      "tcp,fd11:a::2,80": "timeout",
      "udp,172.29.0.2,53": "timeout",
      "tcp,172.31.0.2,80": "timeout",
      "tcp,198.51.100.1,8087": "timeout",
    });
  });

  test("from the host: 127.0.0.1, its own addresses, the gateway, and the container directly", () => {
    expect(ask(world.get("host"), "tcp,127.0.0.1,8080", "udp,127.0.0.1,5353", "tcp,127.0.0.1,8081", "tcp,198.51.100.1,8080", "tcp,2001:db8::1,8080", "tcp,172.29.0.1,8080", "tcp,fd11:a::1,8080", "tcp,172.30.0.1,8080", "tcp,127.0.0.1,8082", "tcp,127.0.0.1,8084", "tcp,172.31.0.2,80", "tcp,127.0.0.1,80", "tcp,::1,80")).toEqual({
      "tcp,127.0.0.1,8080": "a1 172.29.0.1",
      "udp,127.0.0.1,5353": "a1 172.29.0.1",
      "tcp,127.0.0.1,8081": "a2 172.29.0.1",
      "tcp,198.51.100.1,8080": "a1 198.51.100.1",
      "tcp,2001:db8::1,8080": "a1 2001:db8::1",
      "tcp,172.29.0.1,8080": "a1 172.29.0.1",
      "tcp,fd11:a::1,8080": "a1 fd11:a::1",
      "tcp,172.30.0.1,8080": "a1 172.29.0.1",
      "tcp,127.0.0.1,8082": "refused",
      "tcp,127.0.0.1,8084": "n1 192.168.96.1",
      "tcp,172.31.0.2,80": "i1 172.31.0.1",
      "tcp,127.0.0.1,80": "host 127.0.0.1",
      "tcp,::1,80": "host ::1",
    });
  });

  test("hairpin: from the same container, the same network and another one, by the host's address", () => {
    const wanted = ["tcp,198.51.100.1,8080", "tcp,172.29.0.1,8080", "tcp,2001:db8::1,8080", "udp,198.51.100.1,5353"];
    for (const [from, v4, v6] of [["a1", "172.29.0.1", "fd11:a::1"], ["a2", "172.29.0.1", "fd11:a::1"], ["b1", "172.29.0.1", "fd11:a::1"]] as const) {
      const answers = ask(world.get(from), ...wanted);
      expect({ from, answers }).toEqual({ from, answers: { [wanted[0]!]: `a1 ${v4}`, [wanted[1]!]: `a1 ${v4}`, [wanted[2]!]: `a1 ${v6}`, [wanted[3]!]: `a1 ${v4}` } });
    }
  });

  test("out: masqueraded to the world, in plain to each other; networks do not meet; --internal neither gets out nor in", () => {
    expect(ask(world.get("a1"), "tcp,198.51.100.9,80", "udp,198.51.100.9,53", "tcp,2001:db8::9,80", "tcp,172.29.0.3,80", "tcp,fd11:a::3,80", "tcp,172.29.0.1,80", "tcp,172.30.0.2,80", "tcp,fd11:b::2,80", "tcp,172.31.0.2,80")).toEqual({
      "tcp,198.51.100.9,80": "outside 198.51.100.1",
      "udp,198.51.100.9,53": "outside 198.51.100.1",
      "tcp,2001:db8::9,80": "outside 2001:db8::1",
      "tcp,172.29.0.3,80": "a2 172.29.0.2",
      "tcp,fd11:a::3,80": "a2 fd11:a::2",
      "tcp,172.29.0.1,80": "host 172.29.0.2",
      "tcp,172.30.0.2,80": "timeout",
      "tcp,fd11:b::2,80": "timeout",
      "tcp,172.31.0.2,80": "timeout",
    });
    expect(ask(world.get("i1"), "tcp,198.51.100.9,80", "tcp,172.29.0.2,80", "tcp,198.51.100.1,8080", "tcp,172.31.0.3,80")).toEqual({
      "tcp,198.51.100.9,80": "timeout",
      "tcp,172.29.0.2,80": "timeout",
      "tcp,198.51.100.1,8080": "timeout",
      "tcp,172.31.0.3,80": "i2 172.31.0.2",
    });
    // Not even one datagram without an answer gets out of it.
    const received = () => ["outside", "a1"].map((name) => udpIn(world.get(name)));
    const before = received();
    ask(world.get("i1"), "udp,198.51.100.9,53", "udp,172.29.0.2,53", "udp,198.51.100.1,5353");
    expect(received()).toEqual(before);
  });

  test("icc=false: neither across the bridge nor through the gateway; out and published still", () => {
    const n2 = world.get("n2");
    expect(ask(n2, "tcp,192.168.96.2,80", "tcp,198.51.100.9,80")).toEqual({ "tcp,192.168.96.2,80": expect.stringMatching(/timeout|error 113/) as string, "tcp,198.51.100.9,80": "outside 198.51.100.1" });
    // The published port of another one on the same network: see the exception in docs/networking.md.
    expect(ask(n2, "tcp,198.51.100.1,8084")["tcp,198.51.100.1,8084"]).toBe(value === "1" ? "timeout" : "n1 192.168.96.1");
    n2.run("ip", "route", "add", "192.168.96.2/32", "via", "192.168.96.1");
    try {
      expect(ask(n2, "tcp,192.168.96.2,80")).toEqual({ "tcp,192.168.96.2,80": "timeout" });
    } finally {
      n2.run("ip", "route", "del", "192.168.96.2/32");
    }
  });

  test("attacks: the host's loopback from a container and from the wire, a source of another's", () => {
    const a2 = world.get("a2");
    const outside = world.get("outside");
    for (const [ns, gateway] of [[a2, "172.29.0.1"], [outside, "198.51.100.1"]] as const) {
      // 127.0.0.2 and .3 are the host's by 127.0.0.0/8, and not the attacker's own once lo has none of it.
      ns.run("sh", "-ec", `sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via ${gateway}`);
      try {
        const answers = ask(ns, "tcp,127.0.0.1,80", "tcp,127.0.0.1,8081", "tcp,127.0.0.1,8080", "udp,127.0.0.1,53");
        expect(Object.values(answers)).toEqual(["timeout", "timeout", "timeout", "timeout"]);
      } finally {
        ns.run("sh", "-ec", "ip route del 127.0.0.0/8; ip addr add 127.0.0.1/8 dev lo");
      }
    }
    // Spoofing: the answer would go elsewhere, so what counts is that the packet never arrives.
    a2.run("ip", "addr", "add", "198.51.100.77/32", "dev", "lo");
    const received = () => [udpIn(outside), udpIn(world.get("host"))];
    const before = received();
    ask(a2, "udp,198.51.100.9,53,198.51.100.77", "udp,172.29.0.1,53,198.51.100.77");
    expect(received()).toEqual(before);
    ask(a2, "udp,198.51.100.9,53", "udp,172.29.0.1,53");
    expect(received()).toEqual(before.map((n) => n + 1));
    a2.run("ip", "addr", "del", "198.51.100.77/32", "dev", "lo");
  });
});

/** UDP datagrams delivered to a socket (/proc/net/snmp, InDatagrams). */
function udpIn(ns: Netns): number {
  const lines = ns.run("cat", "/proc/net/snmp").split("\n").filter((line) => line.startsWith("Udp:"));
  return Number(lines[1]?.split(" ")[1]);
}

describe("changes", () => {
  test("ports added one by one give what building it whole gives; networks and ports go without a trace", () => {
    const whole = world.ruleset();
    world.nft(buildRuleset({ networks: [], ports: [] }));
    const empty = world.ruleset();
    world.nft(buildRuleset({ networks: Object.values(NETS), ports: [] }));
    for (const p of PORTS) world.nft(addPorts([p]));
    expect(world.ruleset()).toEqual(whole);
    // Again is no failure and no double.
    world.nft(addPorts(PORTS));
    expect(world.ruleset()).toEqual(whole);
    for (const p of PORTS) world.nft(removePorts([p]));
    world.nft(removePorts(PORTS));
    for (const network of Object.values(NETS)) world.nft(removeNetwork(network));
    world.nft(removeNetwork(NETS.a));
    expect(world.ruleset()).toEqual(empty);
    world.nft(buildRuleset({ networks: Object.values(NETS), ports: PORTS }));
    expect(world.ruleset()).toEqual(whole);
  });

  test("a UDP client that was there before the port, and one whose port moves, are served once old flows are forgotten", () => {
    // Always from the same port, as a resolver or a game would: to the kernel one flow.
    const flow = "udp,198.51.100.1,5454,198.51.100.9,40404";
    const forgetFlows = (...args: Parameters<typeof forgetUdpFlows>) => {
      for (const batch of forgetUdpFlows(...args)) send(world.get("host"), batch, {}, { protocol: NETLINK_NETFILTER, ignore: [2] });
    };
    const forget = (addresses: string[]) => { forgetFlows([5454], addresses); };
    const outside = world.get("outside");
    expect(ask(outside, flow)[flow]).toBe("refused");
    const onA1 = [port("", 5454, 53, "172.29.0.2", undefined, "udp")];
    const onA2 = [port("", 5454, 53, "172.29.0.3", undefined, "udp")];
    world.nft(addPorts(onA1));
    expect(ask(outside, flow)[flow]).toBe("refused");
    forget([]);
    expect(ask(outside, flow)[flow]).toBe("a1 198.51.100.9");
    world.nft(removePorts(onA1) + addPorts(onA2));
    expect(ask(outside, flow)[flow]).toBe("a1 198.51.100.9");
    forget(["172.29.0.2"]);
    expect(ask(outside, flow)[flow]).toBe("a2 198.51.100.9");
    // By the container's address alone, too; and other flows are let be.
    world.nft(removePorts(onA2));
    forgetFlows([], ["172.29.0.2", "fd11:a::3"]);
    expect(ask(outside, flow)[flow]).toBe("a2 198.51.100.9");
    forgetFlows([], ["172.29.0.3"]);
    expect(ask(outside, flow)[flow]).toBe("refused");
    // Of very many ports the host's addresses are told in their place.
    world.nft(addPorts(onA1));
    forgetFlows(Array.from({ length: 1000 }, (_, i) => 5000 + i), [], ["192.0.2.1"]);
    expect(ask(outside, flow)[flow]).toBe("refused");
    forgetFlows(Array.from({ length: 1000 }, (_, i) => 5000 + i), [], ["198.51.100.1", "2001:db8::1"]);
    expect(ask(outside, flow)[flow]).toBe("a1 198.51.100.9");
    world.nft(removePorts(onA1));
    forgetFlows([], ["172.29.0.2"]);
  });

  test("another's table is not touched", () => {
    world.nft("add table inet other\nadd chain inet other c\n");
    world.nft(buildRuleset({ networks: Object.values(NETS), ports: PORTS }) + buildRuleset({ networks: [], ports: [] }, "sampan_test"));
    expect(world.get("host").run("nft", "list", "tables").trim().split("\n").sort()).toEqual(["table inet other", "table inet sampan", "table inet sampan_test"]);
    world.nft("delete table inet sampan_test\ndelete table inet other\n");
  });

  test("a left-over with another target is told, and building anew mends it", () => {
    world.nft(addPorts([port("", 9999, 80, "172.29.0.9")]));
    expect(() => world.nft(addPorts([port("", 9999, 80, "172.29.0.2")]))).toThrow("File exists");
    world.nft(buildRuleset({ networks: Object.values(NETS), ports: PORTS }));
    world.nft(addPorts([port("", 9999, 80, "172.29.0.2")]) + removePorts([port("", 9999, 80, "172.29.0.2")]));
  });
});

describe("beside Docker", () => {
  test("a FORWARD policy of DROP is passed by DOCKER-USER alone; Docker's own bridges stay shut", () => {
    const host = world.get("host");
    host.run("sh", "-ec", "ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up; iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER");
    const saved = () => host.run("iptables-save", "-t", "filter");
    const bridges = Object.values(NETS).map((n) => n.bridge);
    const restore = (text: string) => {
      const r = host.attempt(["iptables-restore", "--noflush", "--wait"], text);
      expect({ code: r.code, stderr: r.stderr }).toEqual({ code: 0, stderr: "" });
    };
    expect(ask(world.get("outside"), "tcp,198.51.100.1,8080")).toEqual({ "tcp,198.51.100.1,8080": "timeout" });
    restore(dockerUserRules(saved(), bridges));
    expect(dockerUserRules(saved(), bridges)).toBe("");
    expect(ask(world.get("outside"), "tcp,198.51.100.1,8080", "tcp,172.29.0.2,80")).toEqual({ "tcp,198.51.100.1,8080": "a1 198.51.100.9", "tcp,172.29.0.2,80": "timeout" });
    expect(ask(world.get("a1"), "tcp,198.51.100.9,80")).toEqual({ "tcp,198.51.100.9,80": "outside 198.51.100.1" });
    // Towards docker0 the policy still counts what we send.
    const dropped = () => Number(/:FORWARD DROP \[(\d+):/.exec(saved())?.[1]);
    const before = dropped();
    ask(world.get("a1"), "udp,172.17.0.9,53");
    expect(dropped()).toBeGreaterThan(before);
    // One bridge less, then none: the chain goes too.
    restore(dockerUserRules(saved(), bridges.slice(1)));
    expect(saved()).not.toContain(`-i ${bridges[0]}`);
    restore(dockerUserRules(saved(), []));
    expect(saved()).not.toContain("SAMPAN");
    host.run("sh", "-ec", "iptables -P FORWARD ACCEPT; iptables -F FORWARD; iptables -F DOCKER-USER; iptables -X DOCKER-USER; ip link del docker0");
    expect(dockerUserRules(saved(), bridges)).toBe("");
  });
});
