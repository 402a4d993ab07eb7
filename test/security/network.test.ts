// Attack 10: what must not be reached, is not. Between containers, a host and an outside of the test's own. Needs root, ip, nft, python3.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { matching } from "../support/matching.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);
const addressOf = (name: string, network: string): Promise<string> => ok("container", "inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);

beforeAll(async () => {
  world = await createHostNetns();
  await ok("network", "create", "aa");
  await ok("network", "create", "bb");
  await ok("network", "create", "--internal", "inner");
  await ok("network", "create", "-o", "icc=false", "apart");
  await world.serve("a1", "--network", "aa", "-p", "127.0.0.1:8081:80", "-p", "8080:80");
  await world.serve("b1", "--network", "bb");
  await world.serve("i1", "--network", "inner", "-p", "8087:80");
  await world.serve("i2", "--network", "inner");
  await world.serve("p1", "--network", "apart", "-p", "8084:80");
  await world.serve("p2", "--network", "apart");
});
afterAll(async () => { await world[Symbol.asyncDispose](); });

/** Refused, lost or unroutable: anything but an answer. */
const silent = matching(/^(timeout|refused|error \d+)$/);

test("networks do not reach each other, by address or around", async () => {
  const b1 = await addressOf("b1", "bb");
  expect(await world.askFrom("a1", `tcp,${b1},80`, `udp,${b1},53`)).toEqual({ [`tcp,${b1},80`]: silent, [`udp,${b1},53`]: silent });
});

test("a neighbour of the host reaches no container but by a published port, even if it routes there", async () => {
  const a1 = await addressOf("a1", "aa");
  expect(world.ask(world.outside, `tcp,${a1},80`, "tcp,198.51.100.1,8080")).toEqual({ [`tcp,${a1},80`]: silent, "tcp,198.51.100.1,8080": "a1 198.51.100.9" });
});

test("a port on 127.0.0.1 is the host's alone: not the neighbour's, who sends packets for 127.0.0.1 to it, nor a container's", async () => {
  expect(world.ask(world.host, "tcp,127.0.0.1,8081")).toEqual({ "tcp,127.0.0.1,8081": matching(/^a1 /) });
  world.outside.run("sh", "-c", "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via 198.51.100.1 src 198.51.100.9");
  try {
    expect(world.ask(world.outside, "tcp,127.0.0.1,8081,198.51.100.9", "tcp,198.51.100.1,8081")).toEqual({ "tcp,127.0.0.1,8081,198.51.100.9": silent, "tcp,198.51.100.1,8081": "refused" });
  } finally {
    world.outside.run("sh", "-c", "ip route del 127.0.0.1; ip addr add 127.0.0.1/8 dev lo");
  }
  expect(await world.askFrom("b1", "tcp,198.51.100.1,8081")).toEqual({ "tcp,198.51.100.1,8081": silent });
});

test("route_localnet on our bridges lets nobody at what listens on the host's loopback (CVE-2020-8558)", async () => {
  await world.host.serve("/usr/bin/python3", "-c", "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',7777));s.listen();print('x',flush=True);time.sleep(600)");
  const gateway = await ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "aa");
  await ok("run", "-d", "--name", "evil", "--network", "aa", "--cap-add", "NET_ADMIN", "--privileged", "host", "sleep", "600");
  await ok("exec", "evil", "sh", "-c", `sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via ${gateway}`);
  const own = await addressOf("evil", "aa");
  expect(await world.askFrom("evil", `tcp,127.0.0.1,7777,${own}`)).toEqual({ [`tcp,127.0.0.1,7777,${own}`]: silent });
  await ok("rm", "-f", "evil");
});

test("an internal network has no way out and no way in, but its members and the host reach each other", async () => {
  const i2 = await addressOf("i2", "inner");
  expect(await world.askFrom("i1", "tcp,198.51.100.9,80", "udp,198.51.100.9,53", `tcp,${i2},80`)).toEqual({ "tcp,198.51.100.9,80": silent, "udp,198.51.100.9,53": silent, [`tcp,${i2},80`]: matching(/^i2 /) });
  expect(world.ask(world.outside, "tcp,198.51.100.1,8087", `tcp,${i2},80`)).toEqual({ "tcp,198.51.100.1,8087": silent, [`tcp,${i2},80`]: silent });
});

test("icc=false keeps members of one network apart, except by a published port", async () => {
  const p1 = await addressOf("p1", "apart");
  expect(await world.askFrom("p2", `tcp,${p1},80`, "tcp,198.51.100.9,80")).toEqual({ [`tcp,${p1},80`]: silent, "tcp,198.51.100.9,80": "outside 198.51.100.1" });
  expect(world.ask(world.outside, "tcp,198.51.100.1,8084")).toEqual({ "tcp,198.51.100.1,8084": "p1 198.51.100.9" });
});

test("a source address that is not of the network goes nowhere", async () => {
  await ok("run", "-d", "--name", "liar", "--network", "aa", "--cap-add", "NET_ADMIN", "--privileged", "host", "sleep", "600");
  await ok("exec", "liar", "sh", "-c", "ip addr add 198.51.100.77/32 dev lo");
  expect(await world.askFrom("liar", "udp,198.51.100.9,53,198.51.100.77", "udp,198.51.100.9,53")).toEqual({ "udp,198.51.100.9,53,198.51.100.77": silent, "udp,198.51.100.9,53": "outside 198.51.100.1" });
  await ok("rm", "-f", "liar");
});

/** Sends one router advertisement for 2001:db8:bad::/64 from eth0. */
const ADVERTISE = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0)); mac = s.getsockname()[4]
source, everybody = (socket.inet_pton(socket.AF_INET6, a) for a in ("fe80::bad", "ff02::1"))
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix + struct.pack("!BB", 1, 1) + mac
total = sum(struct.unpack("!%dH" % (len(message) // 2 + 20), source + everybody + struct.pack("!IHBB", len(message), 0, 0, 58) + message))
while total >> 16: total = (total & 0xffff) + (total >> 16)
message = message[:2] + struct.pack("!H", ~total & 0xffff) + message[4:]
s.send(bytes.fromhex("333300000001") + mac + bytes.fromhex("86dd") + struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + everybody + message)
`;

test("a container that says it is a router gives neither the host nor another container an address or a route (CVE-2020-13401)", async () => {
  await ok("network", "create", "--ipv6", "six");
  // A host that does not forward IPv6 is one that listens to routers.
  world.host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0");
  for (const network of ["aa", "six"]) {
    await ok("run", "-d", "--name", "victim", "--network", network, "host", "sleep", "600");
    await ok("run", "--rm", "--network", network, "host", "/usr/bin/python3", "-c", ADVERTISE);
    const heard = async (): Promise<string> => [world.host.run("sh", "-c", "ip -6 addr; ip -6 route"), await ok("exec", "victim", "sh", "-c", "ip -6 addr; ip -6 route; cat /proc/net/dev_snmp6/eth0 2>&1")].join("\n");
    // It has come, and nobody minded it.
    expect(await heard()).toMatch(/Icmp6InRouterAdvertisements\s+1/);
    expect(await heard()).not.toMatch(/2001:db8:bad|fe80::bad/);
    await ok("rm", "-f", "victim");
  }
  await ok("network", "rm", "six");
});

test("names that a container would like to be known by write nothing else into the others' hosts files", async () => {
  for (const alias of ["x y", "x#y", "x\n192.0.2.1 bank", "localhost\t"]) {
    const { exitCode } = await world.sandbox.sampan(["run", "--rm", "--network", "aa", "--network-alias", alias, "host", "true"]);
    expect(exitCode).toBe(125);
  }
  for (const flag of ["--hostname", "--domainname"]) {
    const { exitCode, stderr } = await world.sandbox.sampan(["run", "--rm", flag, "x\n192.0.2.1 bank", "host", "true"]);
    expect([exitCode, stderr]).toEqual([125, matching(/^sampan: invalid (host|domain)name: "x\\n192\.0\.2\.1 bank"\n/)]);
  }
  // Nor does a container that makes its own file a huge one stop the others.
  await ok("exec", "a1", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >> /etc/hosts");
  await ok("run", "-d", "--name", "after", "--network", "aa", "host", "sleep", "600");
  expect(await ok("exec", "after", "getent", "-s", "files", "hosts", "a1")).toContain("a1");
  await ok("rm", "-f", "after");
});
