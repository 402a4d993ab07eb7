// A real dockerd and Sampan on one host of the test's own: both serve, neither is in the other's way. Needs root, dockerd, ip, nft, iptables, python3.
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createHostNetns, EXECUTABLE } from "../support/host-netns.ts";
import { matching } from "../support/matching.ts";
import { startDockerd } from "../support/peers/docker.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createSandbox, createTempDir } from "../support/sandbox.ts";
import { answersOf, CLIENT, SERVER } from "../support/traffic.ts";

setDefaultTimeout(180_000);

test("with FORWARD's policy DROP both engines' ports and ways out work; subnets and ports are never had twice", async () => {
  await using stack = new AsyncDisposableStack();
  const temp = stack.use(createTempDir());
  const world = stack.use(await createHostNetns());
  const { outside } = world;
  const dockerd = stack.use(await startDockerd(join(temp.path, "d"), { network: "own" }));
  await dockerd.inNetwork(["sh", "-ec", `ip link add wan type veth peer name eth1 netns ${outside.name}; ip addr add 203.0.113.1/24 dev wan; ip link set wan up; iptables -P FORWARD DROP`]);
  outside.run("sh", "-ec", "ip addr add 203.0.113.9/24 dev eth1; ip link set eth1 up; ip route replace 172.16.0.0/12 via 203.0.113.1");
  await dockerd.importRootfs(await busyboxRootfs(join(temp.path, "rootfs")), "img:1");
  const docker = async (...args: string[]): Promise<{ exitCode: number | null; output: string }> => {
    const { exitCode, stdout, stderr } = await dockerd.docker(args);
    return { exitCode, output: (stdout + stderr).trim() };
  };
  // `world.enter` goes to a namespace and shows its own /sys; here it is dockerd's.
  const sandbox = stack.use(createSandbox({ executable: ["/usr/bin/nsenter", "-t", String(dockerd.pid), "-n", ...world.enter.slice(2), EXECUTABLE] }));

  const system = ["/usr", "/lib", "/lib64"].flatMap((path) => ["-v", `${path}:${path}:ro`]);
  expect(await docker("run", "-d", "--name", "theirs", "-p", "9090:80", ...system, "img:1", "/usr/bin/python3", "-c", SERVER, "theirs")).toMatchObject({ exitCode: 0 });
  await sandbox.ok(["run", "-d", "--name", "ours", "-p", "8080:80", "host", "/usr/bin/python3", "-c", SERVER, "ours"]);
  while (!(await sandbox.ok(["logs", "ours"])).includes("ready")) await new Promise((resolve) => setTimeout(resolve, 20));
  while (!(await docker("logs", "theirs")).output.includes("ready")) await new Promise((resolve) => setTimeout(resolve, 20));

  expect(world.ask(outside, "tcp,203.0.113.1,8080", "tcp,203.0.113.1,9090")).toEqual({ "tcp,203.0.113.1,8080": "ours 203.0.113.9", "tcp,203.0.113.1,9090": "theirs 203.0.113.9" });
  const specs = ["tcp,203.0.113.9,80", "tcp,203.0.113.1,8080", "tcp,203.0.113.1,9090"];
  const all = { "tcp,203.0.113.9,80": "outside 203.0.113.1", "tcp,203.0.113.1,8080": matching(/^ours /), "tcp,203.0.113.1,9090": matching(/^theirs /) };
  expect(answersOf(specs, await sandbox.ok(["exec", "ours", "/usr/bin/python3", "-c", CLIENT, ...specs]))).toEqual(all);
  expect(answersOf(specs, (await docker("exec", "theirs", "/usr/bin/python3", "-c", CLIENT, ...specs)).output)).toEqual(all);

  const late = await sandbox.sampan(["run", "--rm", "-p", "9090:80", "host", "true"]);
  expect([late.exitCode, late.stderr]).toEqual([125, matching(/^sampan: Cannot publish port 0\.0\.0\.0:9090\/tcp: port is already allocated, docker-proxy \(pid \d+\) has it\n/)]);
  expect(await docker("run", "--rm", "-p", "8080:80", "img:1", "true")).toEqual({ exitCode: 125, output: matching(/address already in use/) });

  for (const name of ["one", "two"]) {
    await sandbox.ok(["network", "create", name]);
    expect(await docker("network", "create", name)).toMatchObject({ exitCode: 0 });
  }
  const subnets = JSON.parse((await dockerd.inNetwork(["ip", "-j", "-4", "addr"])).stdout) as { addr_info: { local: string; prefixlen: number }[] }[]; // ip(8) -j
  const bridges = subnets.flatMap(({ addr_info }) => addr_info).filter(({ local }) => local.startsWith("172.")).map(({ local }) => local.split(".")[1]);
  expect(bridges).toHaveLength(6);
  expect(new Set(bridges).size).toBe(6);
  // What Docker has made is as it was once ours is gone.
  await sandbox.ok(["rm", "-f", "ours"]);
  for (const name of ["one", "two"]) await sandbox.ok(["network", "rm", name]);
  expect(world.ask(outside, "tcp,203.0.113.1,8080", "tcp,203.0.113.1,9090")).toEqual({ "tcp,203.0.113.1,8080": "refused", "tcp,203.0.113.1,9090": "theirs 203.0.113.9" });
});
