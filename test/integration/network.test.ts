// Networks by effect, between containers, a host and an outside of the test's own. Needs root, ip, nft, iptables, python3.
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { waitFor } from "../support/command.ts";
import { containing, having, matching } from "../support/matching.ts";
import type { Netns } from "../support/netns.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
beforeAll(async () => { world = await createHostNetns(); });
afterAll(async () => { await world[Symbol.asyncDispose](); });
afterEach(async () => {
  const ids = (await ok("ps", "-aq", "--no-trunc")).split("\n").filter((id) => id !== "");
  if (ids.length > 0) await ok("rm", "-f", ...ids);
  await ok("network", "prune", "-f");
});

const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);
const fails = async (...args: string[]): Promise<{ code: number | null; stderr: string }> => {
  const { exitCode, stderr } = await world.sandbox.sampan(args);
  return { code: exitCode, stderr };
};
const sleeper = (name: string, ...flags: string[]): Promise<string> => ok("run", "-d", "--name", name, ...flags, "host", "sleep", "600");
const shell = (name: string, script: string): Promise<string> => ok("exec", name, "sh", "-c", script);

interface IpLink { ifname: string; address: string; mtu: number; linkinfo?: { info_kind: string }; master?: string }
interface IpAddress { ifname: string; address: string; operstate: string; addr_info: { family: string; local: string; prefixlen: number; scope: string }[] }

const links = (ns: Netns): IpLink[] => ns.ip("-d", "link") as IpLink[]; // ip(8) -j
const veths = (): string[] => links(world.host).filter(({ ifname }) => ifname.startsWith("spv")).map(({ ifname }) => ifname);
const addressesIn = async (name: string): Promise<Record<string, string[]>> => {
  const list = JSON.parse(await shell(name, "ip -j addr")) as IpAddress[]; // ip(8) -j
  return Object.fromEntries(list.map(({ ifname, addr_info }) => [ifname, addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)]));
};
const ipv4Of = async (name: string, network = "bridge"): Promise<string> => ok("container", "inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
const elements = (map: string): string => {
  const { stdout } = world.host.attempt(["nft", "-j", "list", "ruleset"]);
  const all = (JSON.parse(stdout) as { nftables: { map?: { name: string; elem?: unknown[] } }[] }).nftables; // nft(8) -j
  return JSON.stringify(all.find((object) => object.map?.name === map)?.map?.elem ?? []);
};
const until = (what: () => boolean | Promise<boolean>): Promise<unknown> => waitFor("it to come to be", what, 60_000);

describe("the four models", () => {
  test("without --network a container is on the default bridge, reaches the host and, by it, the outside", async () => {
    await sleeper("web");
    const addresses = await addressesIn("web");
    expect(Object.keys(addresses)).toEqual(["lo", "eth0"]);
    expect(addresses["lo"]).toContain("127.0.0.1/8");
    expect(addresses["eth0"]).toEqual([matching(/^172\.17\.0\.\d+\/16$/)]);
    expect(await shell("web", "ip route show default")).toContain("default via 172.17.0.1 dev eth0");
    const [bridge] = links(world.host).filter(({ linkinfo }) => linkinfo?.info_kind === "bridge");
    expect(bridge?.ifname).toMatch(/^sampan-[0-9a-f]{8}$/);
    expect(links(world.host).filter(({ master }) => master === bridge?.ifname)).toHaveLength(1);
    const answers = await world.askFrom("web", "tcp,198.51.100.9,80", "udp,198.51.100.9,53");
    // By NAT: the outside has seen the host.
    expect(answers).toEqual({ "tcp,198.51.100.9,80": "outside 198.51.100.1", "udp,198.51.100.9,53": "outside 198.51.100.1" });
  });

  test("none has lo, up, and nothing else; host is the host's own", async () => {
    const none = JSON.parse(await ok("run", "--rm", "--network", "none", "host", "ip", "-j", "addr")) as IpAddress[]; // ip(8) -j
    expect(none.map(({ ifname }) => ifname)).toEqual(["lo"]);
    expect(none[0]?.addr_info.map(({ local }) => local)).toContain("127.0.0.1");
    const inside = JSON.parse(await ok("run", "--rm", "--network", "host", "host", "ip", "-j", "link")) as IpLink[]; // ip(8) -j
    expect(inside.map(({ ifname }) => ifname)).toContain("wan");
  });

  test("container:NAME shares the namespace and the hosts file, and loses the network with its owner", async () => {
    await ok("network", "create", "back");
    await sleeper("owner", "--network", "back");
    await sleeper("guest", "--network", "container:owner");
    expect(await shell("guest", "readlink /proc/self/ns/net")).toBe(await shell("owner", "readlink /proc/self/ns/net"));
    await sleeper("third", "--network", "back");
    expect(await shell("guest", "cat /etc/hosts")).toBe(await shell("owner", "cat /etc/hosts"));
    expect(await shell("guest", "getent hosts third")).toContain("third");
    const address = await ipv4Of("owner", "back");
    await ok("rm", "-f", "owner");
    expect(Object.keys(await addressesIn("guest"))).toEqual(["lo"]);
    // The address is free, and whoever has it next is not answered for by the guest.
    await sleeper("heir", "--network", "back", "--ip", address);
    expect(await shell("third", `ping -c1 -W9 ${address} >/dev/null; echo $?`)).toBe("0");
    expect(await fails("run", "--rm", "--network", "container:owner", "host", "true")).toMatchObject({ code: 125, stderr: containing("No such container: owner") });
  });
});

describe("addresses", () => {
  test("a /29 holds five containers beside its gateway, and says that it is full at the sixth", async () => {
    await ok("network", "create", "--subnet", "10.90.0.0/29", "tiny");
    for (const i of [1, 2, 3, 4, 5]) await sleeper(`c${i}`, "--network", "tiny");
    const taken = await Promise.all([1, 2, 3, 4, 5].map((i) => ipv4Of(`c${i}`, "tiny")));
    expect(taken.sort()).toEqual(["10.90.0.2", "10.90.0.3", "10.90.0.4", "10.90.0.5", "10.90.0.6"]);
    const sixth = await fails("run", "-d", "--name", "c6", "--network", "tiny", "host", "true");
    expect(sixth).toEqual({ code: 125, stderr: containing("no available IPv4 addresses on this network's address pools: tiny") });
    expect(await ok("ps", "-a", "--format", "{{.Names}}")).not.toContain("c6");
    const freed = await ipv4Of("c3", "tiny");
    await ok("rm", "-f", "c3");
    await sleeper("c7", "--network", "tiny");
    expect(await ipv4Of("c7", "tiny")).toBe(freed);
  });

  test("a released address comes again last", async () => {
    await ok("network", "create", "--subnet", "10.91.0.0/24", "back");
    const first: string[] = [];
    for (let i = 0; i < 4; i++) {
      await sleeper("one", "--network", "back");
      first.push(await ipv4Of("one", "back"));
      await ok("rm", "-f", "one");
    }
    expect(first).toEqual(["10.91.0.2", "10.91.0.3", "10.91.0.4", "10.91.0.5"]);
  });

  test("wishes: --ip, --ip6, --mac-address, --link-local-ip, on several networks", async () => {
    await ok("network", "create", "--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd92::/64", "front");
    await ok("network", "create", "--subnet", "10.93.0.0/24", "-o", "mtu=1400", "back");
    await sleeper("multi", "--network", "name=front,ip=10.92.0.77,ip6=fd92::77,mac-address=02:11:22:33:44:55,link-local-ip=169.254.7.7", "--network", "name=back,ip=10.93.0.88,alias=db");
    const addresses = await addressesIn("multi");
    expect(addresses["eth0"]).toEqual(having(["10.92.0.77/24", "169.254.7.7/16", "fd92::77/64"]));
    expect(addresses["eth1"]).toEqual(["10.93.0.88/24"]);
    const inside = JSON.parse(await shell("multi", "ip -j link")) as IpLink[]; // ip(8) -j
    expect(inside.find(({ ifname }) => ifname === "eth0")?.address).toBe("02:11:22:33:44:55");
    expect(inside.find(({ ifname }) => ifname === "eth1")?.mtu).toBe(1400);
    expect((await shell("multi", "ip route show default; ip -6 route show default")).split("\n")).toEqual([containing("via 10.92.0.1 dev eth0"), containing("via fd92::1 dev eth0")]);
    expect(await fails("run", "--rm", "--network", "front", "--ip", "10.92.0.77", "host", "true")).toEqual({ code: 125, stderr: containing("Address already in use: 10.92.0.77") });
  });

  test("the default network moves out of the way of a route that came while nobody was on it", async () => {
    const bridge = await ok("network", "inspect", "-f", '{{index .Options "com.docker.network.bridge.name"}}', "bridge");
    const subnet = (): Promise<string> => ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "bridge");
    await ok("run", "--rm", "host", "true");
    expect(await subnet()).toBe("172.17.0.0/16");
    const without = async (work: () => Promise<void>): Promise<void> => {
      if (links(world.host).some(({ ifname }) => ifname === bridge)) world.host.run("ip", "link", "del", bridge);
      await work();
    };
    world.host.run("ip", "route", "add", "172.17.3.0/24", "via", "198.51.100.9");
    await without(async () => { await ok("run", "--rm", "host", "ping", "-c1", "-W9", "198.51.100.9"); });
    expect(await subnet()).toBe("172.18.0.0/16");
    world.host.run("sh", "-c", "ip route del 172.17.3.0/24; ip route add 172.18.0.0/24 via 198.51.100.9");
    await without(async () => { await ok("run", "--rm", "host", "ping", "-c1", "-W9", "198.51.100.9"); });
    expect(await subnet()).toBe("172.17.0.0/16");
    world.host.run("ip", "route", "del", "172.18.0.0/24");
  });

  test("a chosen subnet overlaps no route of the host", async () => {
    world.host.run("ip", "route", "add", "172.18.0.0/15", "via", "198.51.100.9");
    try {
      await ok("network", "create", "far");
      expect(await ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "far")).toBe("172.20.0.0/16");
      expect(await fails("network", "create", "--subnet", "172.19.5.0/24", "bad")).toEqual({ code: 1, stderr: containing("Pool overlaps with other one on this address space: 172.19.5.0/24 with the host's route to 172.18.0.0/15") });
    } finally {
      world.host.run("ip", "route", "del", "172.18.0.0/15");
    }
  });
});

describe("names", () => {
  test("members find each other by name, alias and id, and are kept right while they come, go, and are renamed", async () => {
    await ok("network", "create", "back");
    await sleeper("first", "--network", "back");
    const inode = await shell("first", "stat -c %i /etc/hosts");
    await shell("first", "echo 192.0.2.7 mine >> /etc/hosts");
    const id = await world.serve("second", "--network", "back", "--network-alias", "db");
    const address = await ipv4Of("second", "back");
    for (const name of ["second", "second.back", "db", id.slice(0, 12)]) expect(await shell("first", `getent ahostsv4 ${name} | head -1`)).toStartWith(address);
    expect(await world.askFrom("first", "tcp,db,80")).toEqual({ "tcp,db,80": `second ${await ipv4Of("first", "back")}` });

    await ok("rename", "second", "deuxieme");
    expect(await shell("first", "getent hosts deuxieme")).toContain(address);
    expect(await shell("first", "getent -s files hosts second || echo gone")).toBe("gone");
    await ok("stop", "-t", "0", "deuxieme");
    expect(await shell("first", "getent -s files hosts deuxieme db || echo gone")).toBe("gone");
    await ok("start", "deuxieme");
    expect(await shell("first", "getent hosts db")).toContain("deuxieme");
    // What the container wrote itself is still there, in the same file.
    expect(await shell("first", "getent hosts mine; stat -c %i /etc/hosts")).toBe(`192.0.2.7       mine\n${inode}`);
  });

  test("on the default network there are no names; --add-host, host-gateway and host.docker.internal are there", async () => {
    await sleeper("quiet");
    await sleeper("asker", "--hostname", "asker.example.org", "--add-host", "box:192.0.2.9", "--add-host", "gate:host-gateway");
    expect(await shell("asker", "cat /etc/hosts")).toContain(`${await ipv4Of("asker")}\tasker.example.org asker`);
    expect(await shell("asker", "getent -s files hosts quiet || echo unknown")).toBe("unknown");
    expect(await shell("asker", "cat /etc/hosts")).toContain("192.0.2.9\tbox\n172.17.0.1\tgate\n172.17.0.1\thost.docker.internal\n");
    expect(await fails("run", "--rm", "--network-alias", "x", "host", "true")).toMatchObject({ code: 125 });
  });

  test("--dns, --dns-search and --dns-option make resolv.conf", async () => {
    expect(await ok("run", "--rm", "--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:2", "host", "cat", "/etc/resolv.conf")).toBe("nameserver 192.0.2.53\nsearch example.org\noptions ndots:2");
  });
});

describe("published ports", () => {
  test("answer from outside, from the host's addresses, from 127.0.0.1 and from containers; the client's address is kept", async () => {
    await ok("network", "create", "--ipv6", "six");
    await world.serve("web", "--network", "six", "-p", "8080:80", "-p", "5353:53/udp", "-p", "127.0.0.1:8081:80");
    await sleeper("other", "--network", "six");
    await sleeper("stranger");
    expect(world.ask(world.outside, "tcp,198.51.100.1,8080", "udp,198.51.100.1,5353", "tcp,2001:db8::1,8080", "udp,2001:db8::1,5353", "tcp,198.51.100.1,8081")).toEqual({
      "tcp,198.51.100.1,8080": "web 198.51.100.9", "udp,198.51.100.1,5353": "web 198.51.100.9",
      "tcp,2001:db8::1,8080": "web 2001:db8::9", "udp,2001:db8::1,5353": "web 2001:db8::9",
      "tcp,198.51.100.1,8081": "refused",
    });
    const own = world.ask(world.host, "tcp,198.51.100.1,8080", "tcp,127.0.0.1,8080", "udp,127.0.0.1,5353", "tcp,127.0.0.1,8081", "tcp,2001:db8::1,8080");
    for (const answer of Object.values(own)) expect(answer).toStartWith("web ");
    for (const container of ["web", "other", "stranger"]) {
      const answers = await world.askFrom(container, "tcp,198.51.100.1,8080", "udp,198.51.100.1,5353");
      for (const answer of Object.values(answers)) expect(answer).toStartWith("web ");
    }
    expect(await ok("port", "web", "53/udp")).toContain("0.0.0.0:5353");
  });

  test("answer on the host's ::1, with and without IPv6 in the container, and nowhere else's ::1", async () => {
    await ok("network", "create", "--ipv6", "six");
    await world.serve("four", "-p", "8080:80", "-p", "[::1]:8082:80", "-p", "5353:53/udp");
    await world.serve("six", "--network", "six", "-p", "8090:80");
    expect(world.ask(world.host, "tcp,::1,8080", "tcp,::1,8082", "udp,::1,5353", "tcp,::1,8090", "tcp,::1,8091", "tcp,127.0.0.1,8082")).toEqual({
      "tcp,::1,8080": "four 172.17.0.1", "tcp,::1,8082": "four 172.17.0.1", "udp,::1,5353": "four 172.17.0.1",
      "tcp,::1,8090": matching(/^six fd/), "tcp,::1,8091": "refused", "tcp,127.0.0.1,8082": "refused",
    });
    // ::1 in another namespace is another's.
    expect(await world.askFrom("six", "tcp,::1,8080", "tcp,::1,80")).toEqual({ "tcp,::1,8080": "refused", "tcp,::1,80": "six ::1" });
    expect(world.ask(world.outside, "tcp,::1,8080")).toEqual({ "tcp,::1,8080": "refused" });
    await ok("rm", "-f", "four");
    expect(world.ask(world.host, "tcp,::1,8080", "tcp,::1,8090")).toEqual({ "tcp,::1,8080": "refused", "tcp,::1,8090": matching(/^six fd/) });
    expect(existsSync(`${world.sandbox.state}/loopback`)).toBe(true);
    await ok("rm", "-f", "six");
    expect(existsSync(`${world.sandbox.state}/loopback`)).toBe(false);
  });

  test("random ports, ranges and -P; they are gone with the container", async () => {
    await world.serve("web", "-p", "80", "-p", "9000-9002:53/udp", "--expose", "81", "-P");
    const ports = (await ok("port", "web")).split("\n");
    const tcp = Number(/^80\/tcp -> 0\.0\.0\.0:(\d+)$/m.exec(ports.join("\n"))?.[1]);
    expect(tcp).toBeGreaterThanOrEqual(1024);
    expect(ports.join("\n")).toMatch(/^81\/tcp -> 0\.0\.0\.0:\d+$/m);
    expect(ports.join("\n")).toMatch(/^53\/udp -> 0\.0\.0\.0:900[012]$/m);
    expect(world.ask(world.outside, `tcp,198.51.100.1,${tcp}`)).toEqual({ [`tcp,198.51.100.1,${tcp}`]: "web 198.51.100.9" });
    await ok("rm", "-f", "web");
    expect(elements("publish4")).toBe("[]");
    expect(world.ask(world.outside, `tcp,198.51.100.1,${tcp}`)).toEqual({ [`tcp,198.51.100.1,${tcp}`]: "refused" });
  });

  test("a busy port is found before anything is made, and the message names its holder", async () => {
    const port = "7070";
    await world.host.serve("/usr/bin/python3", "-c", `import socket,time\ns=socket.socket();s.bind(("0.0.0.0",${port}));s.listen();print("x",flush=True);time.sleep(600)`);
    const busy = await fails("run", "-d", "--name", "late", "-p", `${port}:80`, "host", "true");
    expect(busy.code).toBe(125);
    expect(busy.stderr).toMatch(/Cannot publish port 0\.0\.0\.0:7070\/tcp: port is already allocated, python3(\.\d+)? \(pid \d+\) has it/);
    await sleeper("holder", "-p", "7171:80");
    expect(await fails("run", "-d", "--name", "late", "-p", "7171:81", "host", "true")).toEqual({ code: 125, stderr: containing('port is already allocated, container "holder" has it') });
    expect(await fails("run", "-d", "--name", "late", "-p", "192.0.2.99:7272:81", "host", "true")).toEqual({ code: 125, stderr: containing("cannot assign requested address") });
    expect(await ok("ps", "-a", "--format", "{{.Names}}")).toBe("holder");
    // Another protocol is another port.
    await sleeper("udp", "-p", "7171:81/udp");
  });
});

describe("connect and disconnect", () => {
  test("change a running container at once: interface, route, names, ports; and a stopped one for its next start", async () => {
    await ok("network", "create", "front");
    await ok("network", "create", "back");
    await world.serve("web", "--network", "front", "-p", "8080:80");
    await sleeper("db", "--network", "back");
    expect(await shell("db", "getent -s files hosts web || echo unknown")).toBe("unknown");
    await ok("network", "connect", "--alias", "www", "back", "web");
    expect(await world.askFrom("db", "tcp,www,80")).toEqual({ "tcp,www,80": matching(/^web /) });
    expect(await shell("web", "getent hosts db")).toContain("db");
    expect(Object.keys(await addressesIn("web"))).toEqual(["lo", "eth0", "eth1"]);
    expect(await fails("network", "connect", "back", "web")).toEqual({ code: 1, stderr: containing("endpoint with name web already exists in network back") });

    // The published port and the way out move to the network that is left.
    await ok("network", "disconnect", "front", "web");
    expect(Object.keys(await addressesIn("web"))).toEqual(["lo", "eth1"]);
    expect(world.ask(world.outside, "tcp,198.51.100.1,8080")).toEqual({ "tcp,198.51.100.1,8080": "web 198.51.100.9" });
    expect(await world.askFrom("web", "tcp,198.51.100.9,80")).toEqual({ "tcp,198.51.100.9,80": "outside 198.51.100.1" });
    expect(await fails("network", "disconnect", "front", "web")).toEqual({ code: 1, stderr: containing("is not connected to network front") });
    await ok("network", "rm", "front");

    await ok("stop", "-t", "0", "web");
    await ok("network", "connect", "bridge", "web");
    await ok("start", "web");
    expect(Object.keys(await addressesIn("web"))).toEqual(["lo", "eth0", "eth1"]);
    await ok("network", "disconnect", "back", "web");
    await ok("network", "disconnect", "bridge", "web");
    await ok("restart", "-t", "0", "web");
    expect(Object.keys(await addressesIn("web"))).toEqual(["lo"]);
    expect(await ok("container", "inspect", "-f", "{{json .NetworkSettings.Networks}}", "web")).toBe("{}");
    // Whoever has been taken off everything may be put on anything.
    await ok("network", "connect", "back", "web");
    expect(Object.keys(await addressesIn("web"))).toEqual(["lo", "eth0"]);
    // --force does not make it one that it is on, with Docker either.
    expect(await fails("network", "disconnect", "-f", "bridge", "web")).toEqual({ code: 1, stderr: containing("is not connected to network bridge") });
    expect(await ok("network", "ls", "--filter", "name=^back$", "--format", "{{.CreatedAt}}")).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \+0000 UTC$/);
  });

  test("a container with --network none is on no other until it is taken off that", async () => {
    await ok("network", "create", "back");
    await sleeper("alone", "--network", "none");
    const refused = { code: 1, stderr: containing("container cannot be connected to multiple networks with one of the networks in private (none) mode") };
    expect(await fails("network", "connect", "back", "alone")).toEqual(refused);
    await ok("network", "disconnect", "none", "alone");
    expect(await fails("network", "disconnect", "none", "alone")).toEqual({ code: 1, stderr: containing("is not connected to network none") });
    await ok("network", "connect", "--alias", "one", "back", "alone");
    expect(Object.keys(await addressesIn("alone"))).toEqual(["lo", "eth0"]);
    expect(await fails("network", "connect", "none", "alone")).toEqual(refused);
    for (const [flag, wrong] of [["--ip", "foo"], ["--ip", "fd00::1"], ["--ip6", "10.0.0.1"], ["--link-local-ip", "foo"], ["--alias", "a b"]] as const) {
      expect(await fails("network", "connect", flag, wrong, "bridge", "alone")).toEqual({ code: 1, stderr: containing(wrong) });
    }
  });
});

describe("clean-up", () => {
  test("nothing is left after an end, a kill of the program and a kill of the monitor", async () => {
    await ok("network", "create", "back");
    await ok("run", "--rm", "-p", "8080:80", "host", "true");
    await until(() => veths().length === 0);
    await sleeper("killed", "--network", "back", "-p", "8080:80");
    expect(veths()).toHaveLength(1);
    process.kill(Number(await ok("container", "inspect", "-f", "{{.State.Pid}}", "killed")), "SIGKILL");
    await until(async () => (await ok("container", "inspect", "-f", "{{.State.Status}}", "killed")) === "exited");
    await until(() => veths().length === 0 && elements("publish4") === "[]");
    const id = await sleeper("orphan", "--network", "back", "-p", "8080:80");
    const monitor = Number.parseInt(await Bun.file(`${world.sandbox.state}/containers/${id}/monitor`).text(), 10);
    process.kill(monitor, "SIGKILL");
    await until(async () => (await ok("container", "inspect", "-f", "{{.State.Status}}", "orphan")) === "exited");
    await until(() => veths().length === 0);
    expect(elements("publish4")).toBe("[]");
    expect(await ok("network", "inspect", "-f", "{{len .Containers}}", "back")).toBe("0");
    // Its address is free again.
    await ok("run", "--rm", "--network", "back", "host", "true");
  });

  test("after a reboot everything is made again; reload puts back what others flushed or removed", async () => {
    await ok("network", "create", "--subnet", "10.94.0.0/24", "back");
    const id = await world.serve("web", "--network", "back", "-p", "8080:80");
    const bridge = await ok("network", "inspect", "-f", '{{index .Options "com.docker.network.bridge.name"}}', "back");
    world.host.run("nft", "flush", "ruleset");
    world.host.run("ip", "link", "del", bridge);
    await ok("network", "reload");
    expect(world.ask(world.outside, "tcp,198.51.100.1,8080")).toEqual({ "tcp,198.51.100.1,8080": "web 198.51.100.9" });
    const { stdout } = world.host.attempt(["nft", "list", "ruleset"]);
    await ok("network", "reload");
    expect(world.host.attempt(["nft", "list", "ruleset"]).stdout).toBe(stdout);

    // What a reboot takes: processes, the run state, interfaces, rules.
    process.kill(Number(await ok("container", "inspect", "-f", "{{.State.Pid}}", "web")), "SIGKILL");
    await until(async () => (await ok("container", "inspect", "-f", "{{.State.Status}}", "web")) === "exited");
    await until(() => !existsSync(`${world.sandbox.state}/containers/${id}`));
    for (const name of readdirSync(world.sandbox.state)) rmSync(`${world.sandbox.state}/${name}`, { recursive: true, force: true });
    for (const { ifname, linkinfo } of links(world.host)) if (linkinfo?.info_kind === "bridge") world.host.run("ip", "link", "del", ifname);
    world.host.run("nft", "flush", "ruleset");
    await ok("start", "web");
    await until(() => Object.values(world.ask(world.outside, "tcp,198.51.100.1,8080")).includes("web 198.51.100.9"));
    expect(await ipv4Of("web", "back")).toStartWith("10.94.0.");
  });

  test("rm is refused while somebody is on a network, then takes the bridge and its rules along", async () => {
    await ok("network", "create", "back");
    const bridge = await ok("network", "inspect", "-f", '{{index .Options "com.docker.network.bridge.name"}}', "back");
    await sleeper("member", "--network", "back");
    expect(await fails("network", "rm", "back")).toEqual({ code: 1, stderr: containing("error while removing network: network back has active endpoints") });
    await ok("rm", "-f", "member");
    await ok("network", "rm", "back");
    expect(links(world.host).map(({ ifname }) => ifname)).not.toContain(bridge);
    expect(world.host.attempt(["nft", "list", "ruleset"]).stdout).not.toContain(bridge);
    expect(await fails("network", "rm", "back")).toEqual({ code: 1, stderr: containing("network back not found") });
    for (const name of ["bridge", "host", "none"]) expect(await fails("network", "rm", name)).toEqual({ code: 1, stderr: containing(`${name} is a pre-defined network and cannot be removed`) });
  });
});

describe("beside Docker", () => {
  test("Docker's FORWARD policy of DROP does not stop our networks", async () => {
    world.host.run("sh", "-c", "iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -I FORWARD -j DOCKER-USER");
    try {
      await ok("network", "reload");
      await world.serve("web", "-p", "8080:80");
      expect(world.ask(world.outside, "tcp,198.51.100.1,8080")).toEqual({ "tcp,198.51.100.1,8080": "web 198.51.100.9" });
      expect(await world.askFrom("web", "tcp,198.51.100.9,80")).toEqual({ "tcp,198.51.100.9,80": "outside 198.51.100.1" });
      await ok("network", "create", "later");
      expect(await ok("run", "--rm", "--network", "later", "host", "ping", "-c1", "-W9", "198.51.100.9")).toContain("1 received");
      await ok("network", "rm", "later");
    } finally {
      world.host.run("sh", "-c", "iptables -P FORWARD ACCEPT; iptables -F; iptables -X");
    }
  });
});
