// Networks where several people or odd protocols are at work: many hands on one container, SCTP, a host whose resolver is on its own
// loopback. Needs root, ip, nft, python3.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHostNetns, EXECUTABLE, type HostNetns } from "../support/host-netns.ts";
import { createSandbox } from "../support/sandbox.ts";
import { SERVER } from "../support/traffic.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
beforeAll(async () => { world = await createHostNetns(); });
afterAll(async () => { await world[Symbol.asyncDispose](); });

const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);

test("whoever connects and disconnects one container at the same time takes turns: what the store says is there, and nothing else", async () => {
  await ok("network", "create", "busy");
  await ok("run", "-d", "--name", "web", "host", "sleep", "600");
  for (let round = 0; round < 3; round++) {
    const results = await Promise.all(Array.from({ length: 12 }, (_, i) => world.sandbox.sampan(["network", i % 2 === 0 ? "connect" : "disconnect", "busy", "web"])));
    for (const { exitCode, stderr } of results) expect([exitCode, stderr.replace(/[0-9a-f]{64}/, "ID")]).toBeOneOf([[0, ""], [1, "sampan: endpoint with name web already exists in network busy\n"], [1, "sampan: container ID is not connected to network busy\n"]]);
    const isMember = (await ok("network", "inspect", "-f", "{{len .Containers}}", "busy")) === "1";
    expect((await ok("exec", "web", "ls", "/sys/class/net")).split("\n")).toEqual(["eth0", ...(isMember ? ["eth1"] : []), "lo"]);
    expect((world.host.ip("link") as { ifname: string }[]).filter(({ ifname }) => ifname.startsWith("spv"))).toHaveLength(isMember ? 2 : 1); // ip(8) -j
    expect(await ok("ps", "--format", "{{.Networks}}")).toBe(isMember ? "bridge,busy" : "bridge");
  }
  await ok("rm", "-f", "web");
  await ok("network", "rm", "busy");
});

test("ports wait for a network with a way out: on internal ones and on none there are none, and the first other one brings them", async () => {
  await ok("network", "create", "--internal", "inner");
  const { exitCode, stderr } = await world.sandbox.sampan(["run", "-d", "--name", "inside", "--network", "inner", "-p", "8080:80", "host", "/usr/bin/python3", "-c", SERVER, "inside"]);
  expect([exitCode, stderr]).toEqual([0, "WARNING: no port is published while every network of the container is internal\n"]);
  await ok("create", "--name", "late", "-p", "8081:80", "host", "/usr/bin/python3", "-c", SERVER, "late");
  await ok("network", "disconnect", "bridge", "late");
  await ok("start", "late");
  const asked = ["tcp,198.51.100.1,8080", "tcp,198.51.100.1,8081"] as const;
  for (const name of ["inside", "late"]) expect(await ok("port", name)).toBe("");
  expect(world.ask(world.outside, ...asked)).toEqual({ [asked[0]]: "refused", [asked[1]]: "refused" });

  // Somebody else may have them meanwhile; then nothing of a connection is made.
  await ok("run", "-d", "--name", "holder", "-p", "8080:80", "host", "sleep", "600");
  const refused = await world.sandbox.sampan(["network", "connect", "bridge", "inside"]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('port is already allocated, container "holder" has it') as string]);
  expect(await ok("exec", "inside", "ls", "/sys/class/net")).toBe("eth0\nlo");
  await ok("rm", "-f", "holder");

  for (const name of ["inside", "late"]) {
    await ok("network", "connect", "bridge", name);
    while (!(await ok("logs", name)).includes("ready")) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await ok("port", "inside")).toBe("80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080");
  expect(world.ask(world.outside, ...asked)).toEqual({ [asked[0]]: "inside 198.51.100.9", [asked[1]]: "late 198.51.100.9" });
  await ok("rm", "-f", "inside", "late");
  expect(world.ask(world.outside, ...asked)).toEqual({ [asked[0]]: "refused", [asked[1]]: "refused" });
  await ok("network", "rm", "inner");
});

test("any free port is found, be it the last of thousands that a container and a program of the host's have", async () => {
  const range = world.host.run("sysctl", "-n", "net.ipv4.ip_local_port_range").trim();
  world.host.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40399");
  await world.host.serve("/usr/bin/python3", "-c", `import socket, time
held = [socket.create_server(("", port)) for port in range(40200, 40396)]
print("ready", flush=True); time.sleep(600)`);
  await ok("run", "-d", "--name", "many", "-p", "40000-40199:40000-40199", "host", "sleep", "600");
  for (let round = 0; round < 3; round++) {
    await ok("run", "-d", "--name", "few", "-p", "80", "-p", "81", "-p", "40398:82", "-p", "80/udp", "host", "sleep", "600");
    const taken = [...(await ok("port", "few")).matchAll(/^(8[0-2]\/tcp) -> 0\.0\.0\.0:(\d+)$/gm)].map(([, , port]) => Number(port));
    expect(taken).toHaveLength(3);
    expect(taken.filter((port) => port >= 40396 && port <= 40399)).toHaveLength(3);
    const { exitCode, stderr } = await world.sandbox.sampan(["run", "--rm", "-p", "80", "-p", "81", "host", "true"]);
    expect([exitCode, stderr]).toEqual([125, expect.stringContaining("no port from 40000 to 40399 is free on the host") as string]);
    await ok("rm", "-f", "few");
  }
  await ok("rm", "-f", "many");
  world.host.run("sysctl", "-qw", `net.ipv4.ip_local_port_range=${range}`);
});

test("thousands of ports, as for telephony, are published, answer, and go, where a process may have 1024 descriptors", async () => {
  await using limited = createSandbox({ executable: ["/bin/sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh", ...world.enter, EXECUTABLE] });
  const echo = 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 12999)); print("ready", flush=True)\nwhile True: s.sendto(b"phone " + (a := s.recvfrom(99)[1])[0].encode(), a)';
  const udp = "udp,198.51.100.1,12999,198.51.100.9,40405";
  expect(world.ask(world.outside, udp)).toEqual({ [udp]: "refused" });
  await limited.ok(["run", "-d", "--name", "phones", "-p", "10000-12999:10000-12999/udp", "-p", "10000-10999:10000-10999", "host", "/usr/bin/python3", "-c", echo]);
  while (!(await limited.ok(["logs", "phones"])).includes("ready")) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(world.ask(world.outside, udp)).toEqual({ [udp]: "phone 198.51.100.9" });
  await limited.ok(["rm", "-f", "phones"]);
  expect(world.ask(world.outside, udp)).toEqual({ [udp]: "refused" });
});

/** SCTP by raw sockets, whether the kernel has it or not: a packet of one chunk (RFC 9260, 3.3.2 and 3.3.3) with its CRC32c, and what came. */
const SCTP = `
import socket, struct
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8): crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xffffffff)
def packet(source, destination, tag, kind, own, parameters=b""):
    chunk = struct.pack("!BBHIIHHI", kind, 0, 20 + len(parameters), own, 65536, 1, 1, 1) + parameters
    header = struct.pack("!HHI", source, destination, tag)
    return header + crc32c(header + bytes(4) + chunk) + chunk
def receive(kind):
    # A kernel that has SCTP answers as well: it knows of no such association.
    while True:
        data, (sender, _) = s.recvfrom(4096)
        body = data[(data[0] & 15) * 4:]
        if body[12] == kind: break
    source, destination, tag = struct.unpack("!HHI", body[:8])
    return sender, source, destination, tag, struct.unpack("!I", body[16:20])[0], crc32c(body[:8] + bytes(4) + body[12:]) == body[8:12]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
`;
/** Waits for an INIT and answers it, with a cookie. */
const RECEIVER = `${SCTP}
print("ready", flush=True)
sender, source, destination, tag, theirs, good = receive(1)
print(sender, source, destination, tag, theirs, good, flush=True)
s.sendto(packet(destination, source, theirs, 2, 0x5678, struct.pack("!HHI", 7, 8, 1)), (sender, 0))
`;
/** Begins an association with 198.51.100.1:5000 and prints the answer. */
const SENDER = `${SCTP}
s.settimeout(15)
s.sendto(packet(40000, 5000, 0, 1, 0x1234), ("198.51.100.1", 0))
print(*receive(2))
`;

test("a port of SCTP is published as others are, and is no port of TCP", async () => {
  await ok("run", "-d", "--name", "receiver", "-p", "5000:7000/sctp", "host", "/usr/bin/python3", "-c", RECEIVER);
  await world.serve("web", "-p", "5000:80");
  expect(await ok("port", "receiver", "7000/sctp")).toBe("0.0.0.0:5000\n[::]:5000");
  while (!(await ok("logs", "receiver")).includes("ready")) await new Promise((resolve) => setTimeout(resolve, 20));
  // The answer comes from where it was asked for, and both with a sum that holds.
  expect(world.outside.run("/usr/bin/python3", "-c", SENDER)).toBe(`198.51.100.1 5000 40000 ${0x1234} ${0x5678} True\n`);
  await ok("wait", "receiver");
  expect(await ok("logs", "receiver")).toBe(`ready\n198.51.100.9 40000 7000 0 ${0x1234} True`);
  expect(world.ask(world.outside, "tcp,198.51.100.1,5000")).toEqual({ "tcp,198.51.100.1,5000": "web 198.51.100.9" });
  await ok("rm", "-f", "receiver", "web");
});

test("a resolver on the host's loopback (systemd-resolved) gives way to its upstreams, and where there are none that is said", async () => {
  const script = `set -e; d=$(mktemp -d); mount -t tmpfs none "$d"; mount -t tmpfs none /run
printf 'nameserver 127.0.0.53\\noptions edns0\\nsearch lan.example\\n' >"$d/stub"; mount --bind "$d/stub" /etc/resolv.conf
if [ "$UPSTREAM" != "" ]; then mkdir -p /run/systemd/resolve; printf "nameserver $UPSTREAM\\nnameserver fe80::1%%eth0\\nsearch lan.example\\n" >/run/systemd/resolve/resolv.conf; fi
umount -l "$d"; rmdir "$d"; exec "$@"`;
  await using sandbox = createSandbox({ executable: [...world.enter, "sh", "-c", script, "sh", EXECUTABLE] });
  const resolvConf = (upstream: string, ...flags: string[]): Promise<{ stdout: string; stderr: string }> =>
    sandbox.sampan(["run", "--rm", ...flags, "host", "cat", "/etc/resolv.conf"], { env: { UPSTREAM: upstream } });
  await sandbox.ok(["run", "--rm", "host", "true"]);
  expect(await resolvConf("192.0.2.53")).toMatchObject({ stdout: "nameserver 192.0.2.53\nsearch lan.example\noptions edns0\n", stderr: "" });
  expect(await resolvConf("")).toMatchObject({ stdout: "search lan.example\noptions edns0\n", stderr: expect.stringContaining("out of a container's reach") as string });
  expect(await resolvConf("", "--dns", "192.0.2.54")).toMatchObject({ stdout: "nameserver 192.0.2.54\nsearch lan.example\noptions edns0\n", stderr: "" });
  // The host's network has the host's resolver.
  expect((await resolvConf("192.0.2.53", "--network", "host")).stdout).toBe("nameserver 127.0.0.53\noptions edns0\nsearch lan.example\n");
});
