// slow
// parallel-safe
// timeout: 1200 s
/**
 * cgroup v2 as most people have it: alone, with all controllers, under Debian's kernel. In an emulated machine (test/support/vm): figures of
 * time are bounds that hold however slow that is.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { containing, matching } from "../support/matching.ts";
import { createVmHost, type Vm, type VmHost, type VmResult } from "../support/vm/index.ts";

const TIMEOUT_MS = 600_000;
let host: VmHost;
let vm: Vm;
beforeAll(async () => {
  host = await createVmHost();
  vm = await host.boot();
}, TIMEOUT_MS);
afterAll(() => host[Symbol.asyncDispose](), TIMEOUT_MS);

const RUN = "sampan run --network none --rootfs /srv/rootfs";
const GROUPS = "/sys/fs/cgroup/sampan";
const run = (flags: string, command: string): Promise<VmResult> => vm.sh(`${RUN.replace("run", "run --rm")} ${flags} ${command}`);
const start = (name: string, flags: string, command = "sleep 1000"): Promise<string> => vm.ok(`${RUN} -d --name ${name} ${flags} ${command}`);

/** One-line files of a group: what the kernel says is in force. */
async function files(group: string, ...names: string[]): Promise<Record<string, string>> {
  const lines = (await vm.ok(`cd ${group} && grep -H . ${names.join(" ")}`)).split("\n");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

const cpuSeconds = (text: string): number => Number(/"cpu_seconds":([\d.]+)/.exec(text)?.[1]);

describe("limits", () => {
  test("check-host finds all it needs", async () => {
    const lines = (await vm.ok("sampan check-host")).split("\n");
    for (const name of ["memory", "cpu", "cpuset", "pids", "io"]) expect(lines).toContainEqual(matching(new RegExp(`^ok +cgroup ${name} +version 2, at /sys/fs/cgroup$`)));
    expect(lines).toContainEqual(matching(/^ok +cgroup devices +version 2, by eBPF$/));
    expect(lines.filter((line) => !line.startsWith("ok ") && !/IPv4 forwarding|ip_forward/.test(line))).toEqual([]);
  }, TIMEOUT_MS);

  test("update hands a controller on that nobody had asked for", async () => {
    const id = await start("bare", "");
    expect(await vm.ok(`cat ${GROUPS}/cgroup.subtree_control`)).toBe("cpu io memory pids");
    await vm.ok("sampan update --cpuset-cpus 1 bare");
    expect(await files(`${GROUPS}/${id}`, "cpuset.cpus", "cpuset.cpus.effective")).toEqual({ "cpuset.cpus": "1", "cpuset.cpus.effective": "1" });
    await vm.ok("sampan rm -f bare");
  }, TIMEOUT_MS);

  test("every flag is in the kernel's file, then every update", async () => {
    const id = await start("all", "-m 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 1 --cpuset-mems 0 --pids-limit 30 --blkio-weight 300");
    const group = `${GROUPS}/${id}`;
    const names = ["memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.weight", "cpuset.cpus", "cpuset.mems", "pids.max", "io.bfq.weight"];
    expect(await files(group, ...names, "cgroup.controllers", "../cgroup.subtree_control", "../../cgroup.subtree_control")).toEqual({
      "memory.max": String(64 << 20), "memory.swap.max": String(64 << 20), "memory.low": String(32 << 20), "cpu.max": "50000 100000", "cpu.weight": "50",
      "cpuset.cpus": "1", "cpuset.mems": "0", "pids.max": "30", "io.bfq.weight": "default 300", "cgroup.controllers": "cpuset cpu io memory pids",
      "../cgroup.subtree_control": "cpuset cpu io memory pids", "../../cgroup.subtree_control": "cpuset cpu io memory pids",
    });
    await vm.ok("sampan update -m 96m all"); // memory plus swap stay as they are
    expect(await files(group, "memory.max", "memory.swap.max")).toEqual({ "memory.max": String(96 << 20), "memory.swap.max": String(32 << 20) });
    expect(await vm.sh("sampan update -m 200m all")).toMatchObject({ exitCode: 1, stderr: containing("update the memoryswap at the same time") });
    await vm.ok("sampan update -m 128m --memory-swap 256m --memory-reservation 16m --cpus 0.7 --cpu-shares 100 --cpuset-cpus 0-1 --pids-limit -1 --blkio-weight 700 all");
    expect(await files(group, ...names)).toEqual({
      "memory.max": String(128 << 20), "memory.swap.max": String(128 << 20), "memory.low": String(16 << 20), "cpu.max": "70000 100000", "cpu.weight": "10",
      "cpuset.cpus": "0-1", "cpuset.mems": "0", "pids.max": "max", "io.bfq.weight": "default 700",
    });
    await vm.ok("sampan rm -f all");
  }, TIMEOUT_MS);

  test("what v2 has not, or this machine has not, is refused", async () => {
    for (const [flags, words] of [
      ["-m 64m --oom-kill-disable", "--oom-kill-disable"],
      ["-m 64m --memory-swappiness 10", "--memory-swappiness"],
      // This machine could have four CPUs, and has two: the kernel takes the number, and gives all.
      ["--cpuset-cpus 3", "Requested CPUs are not available - requested 3, available: 0-1"],
      ["--cpuset-mems 1", "Requested memory nodes are not available - requested 1, available: 0"],
    ] as const) expect(await run(flags, "true")).toMatchObject({ exitCode: 125, stderr: containing(words) });
  }, TIMEOUT_MS);

  test("memory: killed near the limit, OOMKilled, 137, no group left; swap counts on top", async () => {
    const { exitCode, stdout } = await vm.sh(`${RUN} --name oom -m 12M --memory-swap 12M /probe alloc 100`);
    expect(exitCode).toBe(137);
    expect(Number(stdout.trim().split("\n").at(-1))).toBeWithin(8, 13);
    expect(await vm.ok("sampan inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.Id}}' oom")).toMatch(/^true 137 /);
    expect(await vm.ok(`find ${GROUPS} -mindepth 1 -type d`)).toBe("");
    await vm.ok("sampan rm oom");
    await vm.ok("mkswap /dev/vdb && swapon /dev/vdb");
    expect((await run("-m 16m --memory-swap 96m", "/probe alloc 40")).exitCode).toBe(0);
    expect((await run("--mem=16 --swap=0", "/probe alloc 40")).exitCode).toBe(137);
    await vm.ok("swapoff /dev/vdb");
  }, TIMEOUT_MS);

  test("processes: exactly seven", async () => {
    expect((await run("--pids=7", "/probe forkbomb 20")).stdout).toBe('{"children":6,"errno":"EAGAIN"}\n');
  }, TIMEOUT_MS);

  test("CPU: --cpus is a bound for all processes together; shares divide what is contended", async () => {
    await start("busy", "--cpus 0.2");
    const loops = "for i in 1 2; do sampan exec busy /probe spin 4 & done; wait";
    const used = (await vm.ok(loops)).split("\n").map(cpuSeconds);
    expect(used).toHaveLength(2);
    expect(used.reduce((sum, value) => sum + value, 0)).toBeLessThan(2); // 0.2 × 4, and what each may use before its first period ends; unbounded it were up to eight
    await vm.ok("sampan rm -f busy");
    // Both spin before and after what is counted.
    const ids = [await start("half", "-cpuset 1 -cpushare 512", "/probe spin 1000"), await start("whole", "-cpuset 1 -cpushare 1024", "/probe spin 1000")];
    const usage = `grep -h usage_usec ${ids.map((id) => `${GROUPS}/${id}/cpu.stat`).join(" ")}`;
    const [half1 = 0, whole1 = 0, half2 = 0, whole2 = 0] = (await vm.ok(`${usage}; sleep 5; ${usage}`)).match(/\d+/g)?.map(Number) ?? [];
    expect((whole2 - whole1) / (half2 - half1)).toBeWithin(1.6, 2.5);
    await vm.ok("sampan rm -f half whole");
  }, TIMEOUT_MS);

  test("devices: what is not allowed is neither opened nor, with :r, written", async () => {
    const copy = "dd if=/dev/vdb of=/dev/null count=1; dd if=/dev/zero of=/dev/vdb count=1 conv=notrunc";
    expect((await run("", "sh -c 'mknod /dev/vdb b 254 16; cat /dev/vdb; echo >/dev/null'")).stderr).toContain("can't open '/dev/vdb': Operation not permitted");
    expect(await run("--device /dev/vdb", `sh -c '${copy}'`)).toMatchObject({ exitCode: 0 });
    expect(await run("--device /dev/vdb:/dev/vdb:r", `sh -c '${copy}'`)).toMatchObject({ exitCode: 1, stderr: matching(/1\+0 records out[^]*can't open '\/dev\/vdb': Operation not permitted/) });
    expect(await run("--device-cgroup-rule 'b 254:* r'", `sh -c 'mknod /dev/vdb b 254 16; ${copy}'`)).toMatchObject({ exitCode: 1, stderr: containing("1+0 records out") });
  }, TIMEOUT_MS);
});

describe("groups", () => {
  test("the container sees its own as the top, cannot write it, and with --cgroupns host sees where it is", async () => {
    const look = "sh -c 'cat /proc/self/cgroup; mkdir /sys/fs/cgroup/mine && echo made; ls /sys/fs/cgroup | grep -c sampan'";
    expect(await run("-m 64m", look)).toMatchObject({ stdout: "0::/\n0\n", stderr: containing("Read-only file system") });
    expect((await run("--privileged", look)).stdout).toBe("0::/\nmade\n0\n");
    expect((await run("--cgroupns host", look)).stdout).toMatch(/^0::\/sampan\/[0-9a-f]{64}\n1\n$/);
    expect(await vm.ok(`find ${GROUPS} -mindepth 1 -type d`)).toBe("");
  }, TIMEOUT_MS);

  test("a container that has groups of its own, as one with systemd: exec, top, pause, stats, removal", async () => {
    const inside = "cd /sys/fs/cgroup; mkdir -p a/b init; echo 1 >init/cgroup.procs; echo +memory +pids >cgroup.subtree_control; (sh -c 'echo 0 >a/b/cgroup.procs; exec sleep 1001') & touch /ready; exec sleep 1002";
    const id = await start("nest", "--privileged --health-cmd 'cat /proc/self/cgroup' --health-interval 1s", `sh -c ${JSON.stringify(inside)}`);
    await vm.ok("until [ -e /proc/$(sampan inspect -f '{{.State.Pid}}' nest)/root/ready ]; do sleep 0.1; done");
    expect(await vm.ok("sampan exec nest cat /proc/self/cgroup")).toBe("0::/init");
    expect(await vm.ok("until sampan inspect -f '{{json .State.Health.Log}}' nest | grep -q sampan.health; do sleep 0.2; done; sampan inspect -f '{{.State.Health.Status}}' nest")).toBe("healthy");
    expect(await vm.ok("sampan top nest -o pid,args")).toMatch(/sleep 1002[^]*sleep 1001/);
    await vm.ok("sampan pause nest");
    expect(await files(`${GROUPS}/${id}`, "cgroup.freeze", "a/b/cgroup.events")).toMatchObject({ "cgroup.freeze": "1", "a/b/cgroup.events": "frozen 1" });
    expect((await vm.sh("sampan exec nest true")).stderr).toContain("is paused");
    await vm.ok("sampan unpause nest");
    expect(await vm.ok("sampan stats --no-stream --format '{{.PIDs}}' nest")).toBe("2");
    await vm.ok("sampan rm -f nest");
    expect(await vm.ok(`find ${GROUPS} -mindepth 1 -type d`)).toBe("");
  }, TIMEOUT_MS);

  test("a container without CPU time to die in dies all the same", async () => {
    await start("slow", "", 'sh -c "/probe spin 1000 & exec /probe spin 1000"');
    await vm.ok("sampan update --cpus 0.001 slow && sampan rm -f slow");
    expect(await vm.ok(`find ${GROUPS} -mindepth 1 -type d`)).toBe("");
  }, TIMEOUT_MS);

  test("the engine in a session's scope: the container's group is beside it and not in it", async () => {
    const scope = "/sys/fs/cgroup/user.slice/session.scope";
    const script = `mkdir -p ${scope}; echo $$ >${scope}/cgroup.procs; ${RUN} -d --name scoped -m 64m sleep 1000 >/dev/null; cat /proc/$(sampan inspect -f '{{.State.Pid}}' scoped)/cgroup; sampan rm -f scoped >/dev/null`;
    expect(await vm.ok(script)).toMatch(/^0::\/sampan\/[0-9a-f]{64}$/);
    await vm.ok(`rmdir ${scope} /sys/fs/cgroup/user.slice`);
  }, TIMEOUT_MS);

  test("the engine in a container, at the top of a cgroup namespace: runs what asks for no limit, and says what a limit needs", async () => {
    // As `docker run --privileged` leaves it: the engine's own processes are in the group that would have to hand controllers on.
    const group = "/sys/fs/cgroup/outer";
    const nested = (commands: string): string =>
      `mkdir -p ${group}; echo "+memory +pids" >/sys/fs/cgroup/cgroup.subtree_control; echo $$ >${group}/cgroup.procs; /usr/bin/unshare -C -m sh -c 'umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; ${commands}'; echo $$ >/sys/fs/cgroup/cgroup.procs; find ${group} -depth -type d | xargs rmdir`;
    expect(await vm.ok(nested("sampan run --rm --network none --rootfs /srv/rootfs cat /proc/self/cgroup"))).toBe("0::/");
    const refused = await vm.sh(nested("sampan run --rm --network none -m 64m --rootfs /srv/rootfs true"));
    expect(refused.stderr).toMatch(/subtree_control" .*EBUSY[^]*move them to a child group: mkdir/);
    // The hint, as typed: what it names is what helps.
    const moved = /child group: (.*)/.exec(refused.stderr)?.[1] ?? "";
    const commands = `sampan check-host | grep -w memory; { ${moved}; } 2>/dev/null; sampan run --rm --network none -m 64m --rootfs /srv/rootfs cat /sys/fs/cgroup/memory.max`;
    expect(await vm.ok(nested(commands))).toMatch(/^degraded +cgroup memory +processes in \/sys\/fs\/cgroup itself keep it from being handed on: --memory is refused\n67108864$/);
  }, TIMEOUT_MS);
});

test("sampan-oci: create, start, exec, update, events, pause, kill, delete, with linux.resources.unified", async () => {
  const config = {
    ociVersion: "1.2.0", root: { path: "/srv/rootfs", readonly: true },
    process: { user: { uid: 0, gid: 0 }, args: ["sleep", "1000"], env: ["PATH=/bin"], cwd: "/" },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" }, { destination: "/dev", type: "tmpfs", source: "tmpfs" }, { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "noexec", "nodev"] },
    ],
    linux: {
      namespaces: ["pid", "mount", "ipc", "uts", "cgroup", "network"].map((type) => ({ type })), cgroupsPath: "/engine/one",
      resources: {
        memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 }, cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0" }, pids: { limit: 50 },
        blockIO: { weight: 200, throttleReadBpsDevice: [{ major: 254, minor: 16, rate: 1 << 20 }] },
        unified: { "memory.high": String(48 << 20), "cgroup.max.descendants": "5", "io.max": "254:16 riops=100" },
      },
    },
  };
  await vm.ok(`mkdir -p /root/bundle && cd /root/bundle && echo '${JSON.stringify(config)}' >config.json && sampan-oci create one`);
  const group = "/sys/fs/cgroup/engine/one";
  expect(await files(group, "memory.max", "memory.swap.max", "memory.low", "memory.high", "cpu.weight", "cpu.max", "cpuset.cpus", "pids.max", "io.max", "cgroup.max.descendants")).toEqual({
    "memory.max": String(64 << 20), "memory.swap.max": String(32 << 20), "memory.low": String(32 << 20), "memory.high": String(48 << 20), "cpu.weight": "50", "cpu.max": "50000 100000",
    "cpuset.cpus": "0", "pids.max": "50", "io.max": "254:16 rbps=1048576 wbps=max riops=100 wiops=max", "cgroup.max.descendants": "5",
  });
  const status = async (): Promise<string> => (JSON.parse(await vm.ok("sampan-oci state one")) as { status: string }).status;
  expect(await status()).toBe("created");
  await vm.ok("sampan-oci start one");
  expect(await vm.ok("sampan-oci exec one cat /proc/self/cgroup")).toBe("0::/");
  await vm.ok("sampan-oci update --memory 80m --cpuset-cpus 0-1 --pids-limit 60 one");
  expect(await files(group, "memory.max", "memory.swap.max", "cpuset.cpus", "pids.max")).toEqual({ "memory.max": String(80 << 20), "memory.swap.max": String(32 << 20), "cpuset.cpus": "0-1", "pids.max": "60" });
  const { data } = JSON.parse(await vm.ok("sampan-oci events --stats one")) as { data: { memory: { usage: { limit: number }; swap: { limit: number } }; pids: { current: number; limit: number } } };
  expect(data).toMatchObject({ memory: { usage: { limit: 80 << 20 }, swap: { limit: 112 << 20 } }, pids: { current: 1, limit: 60 } });
  await vm.ok("sampan-oci pause one");
  expect(await status()).toBe("paused");
  await vm.ok("sampan-oci resume one; sampan-oci kill one KILL; until sampan-oci delete one 2>/dev/null; do sleep 0.1; done");
  expect(await vm.ok("find /sys/fs/cgroup/engine -mindepth 1 -type d; rmdir /sys/fs/cgroup/engine")).toBe("");
}, TIMEOUT_MS);

test("sampan-oci: a container that may write its view of the groups owns its group, as cgroups(7) says, and nobody else does", async () => {
  const config = (options: string[], namespaces: string[]): string => JSON.stringify({
    ociVersion: "1.2.0", root: { path: "/srv/rootfs", readonly: true },
    process: { user: { uid: 0, gid: 0 }, args: ["sh", "-c", "stat -c %u /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/mine && rmdir /sys/fs/cgroup/mine && echo made"], env: ["PATH=/bin"], cwd: "/" },
    mounts: [{ destination: "/dev", type: "tmpfs", source: "tmpfs" }, { destination: "/sys", type: "tmpfs", source: "tmpfs" }, { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options }],
    linux: {
      namespaces: ["pid", "mount", "user", ...namespaces].map((type) => ({ type })), cgroupsPath: "/owned",
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }], gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    },
  });
  const runs = async (options: string[], namespaces: string[]): Promise<string> =>
    vm.ok(`mkdir -p /root/owned && cd /root/owned && echo '${config(options, namespaces)}' >config.json && { sampan-oci run owned 2>&1 || true; }; ls -d /sys/fs/cgroup/owned 2>/dev/null || true`);
  // Of memory.max, by which it could raise its own limit, the owner stays the host's root, whom it does not know.
  expect(await runs(["rw"], ["cgroup"])).toBe("0\n0\n65534\nmade");
  expect(await runs(["ro"], ["cgroup"])).toMatch(/^65534\n65534\n65534\nmkdir: .*Read-only file system$/);
}, TIMEOUT_MS);
