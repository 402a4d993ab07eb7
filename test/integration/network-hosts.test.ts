// Networks on hosts that are not as one wishes, and wishes that have become wrong. Needs root, ip, nft, python3.
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { createHostNetns, EXECUTABLE, type HostNetns } from "../support/host-netns.ts";
import { containing } from "../support/matching.ts";
import { createSandbox } from "../support/sandbox.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
beforeEach(async () => { world = await createHostNetns(); });
afterEach(async () => { await world[Symbol.asyncDispose](); });

const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);
const fails = async (...args: string[]): Promise<{ code: number | null; stderr: string }> => {
  const { exitCode, stderr } = await world.sandbox.sampan(args);
  return { code: exitCode, stderr };
};
const sleeper = (name: string, ...flags: string[]): Promise<string> => ok("run", "-d", "--name", name, ...flags, "host", "sleep", "600");
const subnetOf = (network: string): Promise<string> => ok("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", network);

test("beside a VPN that has every private address, all works but the default network, and that says why", async () => {
  const route = (...blocks: string[]): void => { for (const block of blocks) world.host.run("ip", "route", "add", block, "via", "198.51.100.9"); };
  route("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10");
  expect(await ok("network", "ls", "--format", "{{.Name}}")).toBe("bridge\nhost\nnone");
  expect(await subnetOf("bridge")).toBe("");
  expect(await ok("run", "--rm", "--network", "none", "host", "echo", "alone")).toBe("alone");
  expect(await fails("run", "--rm", "host", "true")).toEqual({ code: 125, stderr: containing("could not find an available, non-overlapping IPv4 address pool") });
  await ok("network", "create", "--subnet", "198.18.7.0/24", "chosen");
  expect(await ok("run", "--rm", "--network", "chosen", "host", "ping", "-c1", "-W9", "198.51.100.9")).toContain("1 received");
  // As soon as a block is free the default network has it.
  world.host.run("ip", "route", "del", "100.64.0.0/10");
  expect(await ok("run", "--rm", "host", "ping", "-c1", "-W9", "198.51.100.9")).toContain("1 received");
  expect(await subnetOf("bridge")).toBe("100.127.0.0/16 ");
});

test("on a host that has IPv6 switched off for new interfaces, networks have it where they were asked to", async () => {
  world.host.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
  await ok("network", "create", "--ipv6", "six");
  await world.serve("web", "--network", "six");
  const address = await ok("container", "inspect", "-f", "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}", "web");
  expect(await ok("run", "--rm", "--network", "six", "host", "ping", "-c1", "-W9", address)).toContain("1 received");
  expect(world.ask(world.host, `tcp,${address},80`)).toEqual({ [`tcp,${address},80`]: containing("web fd") });
});

test("where /proc/sys is read-only, as in a container, that is said of the setting that is lacking, and what needs no network runs", async () => {
  const script = 'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; exec "$@"';
  await using sandbox = createSandbox({ executable: [...world.enter, "sh", "-ec", script, "sh", EXECUTABLE] });
  const hint = "Where /proc/sys is read-only, as in a container, run with --network none or --network host\n";
  for (const [setting, command] of [["net.ipv4.ip_forward", ["network", "create", "mine"]], ["net.ipv4.ip_forward", ["run", "--rm", "host", "true"]], [".route_localnet", ["network", "create", "--internal", "mine"]]] as const) {
    const { exitCode, stderr } = await sandbox.sampan([...command]);
    expect([exitCode, stderr]).toEqual([command[0] === "run" ? 125 : 1, containing(`${setting} cannot be set to 1 (`)]);
    expect(stderr).toEndWith(`: read-only file system\n${hint}`);
  }
  expect(await sandbox.ok(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
  expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "host", "echo", "alone"])).toBe("alone");
});

test("a network that went while its container was at rest is left behind by disconnect", async () => {
  await ok("network", "create", "gone");
  await ok("create", "--name", "web", "--network", "bridge", "host", "sleep", "600");
  await ok("network", "connect", "--alias", "www", "gone", "web");
  expect(await ok("container", "inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", "web")).toBe("bridge gone ");
  await ok("network", "rm", "gone");
  expect(await fails("start", "web")).toEqual({ code: 1, stderr: containing("network gone not found") });
  await ok("network", "disconnect", "gone", "web");
  await ok("start", "web");
  expect(await fails("network", "disconnect", "gone", "web")).toEqual({ code: 1, stderr: containing("network gone not found") });
});

test("namespaces of another container are shared by its id: it may be called otherwise by the next start", async () => {
  const id = await sleeper("owner");
  await sleeper("guest", "--network", "container:owner", "--pid", "container:owner", "--ipc", "container:owner");
  await ok("rename", "owner", "proprietor");
  await ok("restart", "-t", "0", "guest");
  expect(await ok("container", "inspect", "-f", "{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}} {{.HostConfig.IpcMode}}", "guest")).toBe(`container:${id} container:${id} container:${id}`);
  expect(await ok("exec", "guest", "readlink", "/proc/self/ns/net")).toBe(await ok("exec", "proprietor", "readlink", "/proc/self/ns/net"));
});

test("a published port is held: by no program of the host's, by no other engine, and not a moment longer than its container", async () => {
  await world.serve("web", "-p", "8080:80", "-p", "5353:53/udp", "-p", "127.0.0.1:8081:80");
  const take = (family: "AF_INET" | "AF_INET6", type: "SOCK_STREAM" | "SOCK_DGRAM", address: string, port: number): string =>
    world.host.run("/usr/bin/python3", "-c", `import socket
s = socket.socket(socket.${family}, socket.${type}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(${type === "SOCK_STREAM" ? 1 : 0}))
try: s.bind(("${address}", ${port})); print("taken", end="")
except OSError as e: print(e.strerror, end="")`);
  const busy = "Address already in use";
  expect(take("AF_INET", "SOCK_STREAM", "0.0.0.0", 8080)).toBe(busy);
  expect(take("AF_INET", "SOCK_STREAM", "198.51.100.1", 8080)).toBe(busy);
  expect(take("AF_INET6", "SOCK_STREAM", "::1", 8080)).toBe(busy);
  expect(take("AF_INET", "SOCK_DGRAM", "0.0.0.0", 5353)).toBe(busy);
  expect(take("AF_INET", "SOCK_STREAM", "198.51.100.1", 8081)).toBe("taken");
  await using other = createSandbox({ executable: [...world.enter, EXECUTABLE] });
  expect(await other.sampan(["run", "--rm", "-p", "8080:80", "host", "true"])).toMatchObject({ exitCode: 125, stderr: containing("port is already allocated") });
  // It serves all the same, and what nobody serves is still refused at once.
  expect(world.ask(world.outside, "tcp,198.51.100.1,8080", "udp,198.51.100.1,5353", "tcp,2001:db8::1,8080", "udp,2001:db8::1,5353")).toEqual({
    "tcp,198.51.100.1,8080": "web 198.51.100.9", "udp,198.51.100.1,5353": "web 198.51.100.9", "tcp,2001:db8::1,8080": "refused", "udp,2001:db8::1,5353": "refused",
  });
  for (let i = 0; i < 5; i++) await ok("restart", "-t", "0", "web");
  await ok("stop", "-t", "0", "web");
  expect(take("AF_INET", "SOCK_STREAM", "0.0.0.0", 8080)).toBe("taken");
  await ok("start", "web");
  await ok("rm", "-f", "web");
  expect(take("AF_INET6", "SOCK_STREAM", "::", 8080)).toBe("taken");
  expect(await other.ok(["run", "--rm", "-p", "8080:80", "host", "echo", "free"])).toBe("free");
});

test("reserved addresses are nobody's, and inspect has what create was told, IPv4 first", async () => {
  await ok("network", "create", "--attachable", "--ipv6", "--subnet", "fd00:9::/64", "--subnet", "10.97.0.0/29", "--aux-address", "router=10.97.0.2", "--aux-address", "nas=10.97.0.4", "full");
  expect(await subnetOf("full")).toBe("10.97.0.0/29 fd00:9::/64 ");
  expect(await ok("network", "inspect", "-f", "{{.Attachable}} {{(index .IPAM.Config 0).AuxiliaryAddresses.nas}} {{json .IPAM.Options}}", "full")).toBe("true 10.97.0.4 {}");
  const addresses = [];
  for (const name of ["n10", "n2", "n1"]) {
    await sleeper(name, "--network", "full");
    addresses.push(await ok("container", "inspect", "-f", "{{.NetworkSettings.Networks.full.IPAddress}}", name));
  }
  expect(addresses).toEqual(["10.97.0.3", "10.97.0.5", "10.97.0.6"]);
  expect(await fails("run", "--rm", "--network", "full", "host", "true")).toEqual({ code: 125, stderr: containing("no available IPv4 addresses on this network's address pools: full") });
  expect(await fails("run", "--rm", "--network", "full", "--ip", "10.97.0.4", "host", "true")).toEqual({ code: 125, stderr: containing("reserved") });
});

test("a subnet that is written as an address in it is that subnet, and that is said", async () => {
  const { exitCode, stderr } = await world.sandbox.sampan(["network", "create", "--driver", "bridge", "--subnet", "192.168.10.1/24", "testbridge"]);
  expect([exitCode, stderr]).toEqual([0, containing("WARNING: 192.168.10.1/24 is no subnet but an address in one: 192.168.10.0/24 is taken\n")]);
  expect(await subnetOf("testbridge")).toBe("192.168.10.0/24 ");
  expect(await ok("run", "--rm", "--network", "testbridge", "host", "ip", "-4", "-br", "addr", "show", "eth0")).toContain(" 192.168.10.2/24");
});

test("names of networks are listed as people count, and filtered by expressions", async () => {
  for (const name of ["n10", "n2", "other-n2"]) await ok("network", "create", name);
  expect(await ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")).toBe("n2\nn10\nother-n2");
  expect(await ok("network", "ls", "--filter", "name=^n2$", "--format", "{{.Name}}")).toBe("n2");
});

test("a firewall that drops what is forwarded is named when a bridge is made, with what to type, and that works", async () => {
  world.host.run("iptables", "-P", "FORWARD", "DROP");
  const { exitCode, stderr } = await world.sandbox.sampan(["network", "create", "-o", "bridge=spt0", "shut"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: containing("WARNING: the policy of iptables' chain FORWARD keeps the containers on spt0 from other hosts; let them pass with: iptables") });
  const out = (): Promise<{ exitCode: number | null }> => world.sandbox.sampan(["run", "--rm", "--network", "shut", "host", "ping", "-c1", "-W3", "198.51.100.9"]);
  expect((await out()).exitCode).toBe(1);
  const remedy = (text: string): string => /let them pass with: (.*)/.exec(text)?.[1] ?? "false";
  world.host.run("sh", "-c", remedy(stderr));
  expect((await out()).exitCode).toBe(0);
  // A table of nftables' own, as /etc/nftables.conf has it; the network is there already.
  world.host.run("nft", "add table inet filter; add chain inet filter forward { type filter hook forward priority filter; policy drop; }");
  const reload = await fails("network", "reload");
  expect(reload).toEqual({ code: 0, stderr: containing("WARNING: the policy of nftables' chain forward in table inet filter keeps the containers on spt0 from other hosts; let them pass with: nft") });
  expect((await out()).exitCode).toBe(1);
  world.host.run("sh", "-c", remedy(reload.stderr));
  expect((await out()).exitCode).toBe(0);
  expect(await fails("network", "reload")).toEqual({ code: 0, stderr: "" });
});

test("engines that make their first networks at the same time take different subnets", async () => {
  await using stack = new AsyncDisposableStack();
  const engines = Array.from({ length: 4 }, () => stack.use(createSandbox({ executable: [...world.enter, EXECUTABLE] })));
  await Promise.all(engines.map((engine) => Promise.all([engine.ok(["run", "-d", "host", "sleep", "600"]), engine.ok(["network", "create", "own"])])));
  const subnets = (world.host.ip("route") as { dst: string; dev: string }[]).filter(({ dev }) => dev !== "wan").map(({ dst }) => dst); // ip(8) -j
  expect(subnets).toHaveLength(8);
  expect(new Set(subnets).size).toBe(8);
});
