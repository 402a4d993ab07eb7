/**
 * Control groups on this machine: needs root, a C compiler and a hybrid or v1 mount of the usual controllers (tests of what is
 * not there say so and are skipped). Everything happens beneath /sampan-test-<pid> of each hierarchy, which is removed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Resources } from "../../src/oci/index.ts";
import { compileCgroup, cpuQuota, defaultDeviceRules, readCgroupHost, readText } from "../../src/runtime/cgroups/index.ts";
import type { CgroupHost, CgroupPaths, CgroupPlan } from "../../src/runtime/cgroups/index.ts";
import { applyPlan, applyUpdate, freeze, isFrozen, killAll, listPids, oomKilled, readBack, readStats, removeCgroup, thaw } from "../../src/runtime/cgroups/operations.ts";

const host = readCgroupHost();
const base = `/sampan-test-${process.pid}`;
const isRoot = process.getuid?.() === 0;
const v1 = (...names: string[]): boolean => names.every((name) => host.controllers.get(name)?.version === 1);

/** The same machine as a host of v1 only would see it. */
const withoutUnified: CgroupHost = {
  version: "v1",
  hierarchies: host.hierarchies.filter((hierarchy) => hierarchy.version === 1),
  controllers: new Map([...host.controllers].filter(([, hierarchy]) => hierarchy.version === 1)),
};

const helperSource = String.raw`
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
static int die(const char *what) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); return 99; }
/* run DIR|- TASKS... -- CMD ARG: clone into the v2 group, join the v1 groups as keel's child does, then work */
static int work(char **argv) {
  if (!strcmp(argv[0], "sleep")) { pause(); return 0; }
  if (!strcmp(argv[0], "spin")) for (;;) {}
  if (!strcmp(argv[0], "hog")) {
    for (int i = 0; i < atoi(argv[1]); i++) { char *p = malloc(1 << 20); if (!p) return 3; memset(p, 1, 1 << 20); }
    return 0;
  }
  if (!strcmp(argv[0], "fork")) {
    int made = 0;
    for (int i = 0; i < atoi(argv[1]); i++) { pid_t pid = fork(); if (pid == 0) { pause(); _exit(0); } if (pid > 0) made++; }
    printf("made %d\n", made); fflush(stdout); pause(); return 0;
  }
  if (!strcmp(argv[0], "dev")) { /* type major minor flags: open a node of that device */
    char path[64]; snprintf(path, sizeof path, "/tmp/sampan-node-%d", getpid());
    if (mknod(path, (argv[1][0] == 'c' ? S_IFCHR : S_IFBLK) | 0600, makedev(atoi(argv[2]), atoi(argv[3])))) { printf("mknod %d\n", errno); return 0; }
    int fd = open(path, (!strcmp(argv[4], "r") ? O_RDONLY : !strcmp(argv[4], "w") ? O_WRONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
    printf("open %d\n", fd < 0 ? errno : 0); unlink(path); return 0;
  }
  return 98;
}
int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[1], "bpf")) {
    static uint64_t insns[4096];
    int f = open(argv[2], O_RDONLY); ssize_t size = read(f, insns, sizeof insns);
    union bpf_attr a; memset(&a, 0, sizeof a);
    a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE; a.insn_cnt = size / 8; a.insns = (uintptr_t)insns; a.license = (uintptr_t)"MIT";
    int prog = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
    if (prog < 0) return die("load");
    memset(&a, 0, sizeof a);
    a.target_fd = open(argv[3], O_RDONLY | O_DIRECTORY); a.attach_bpf_fd = prog; a.attach_type = BPF_CGROUP_DEVICE; a.attach_flags = BPF_F_ALLOW_MULTI;
    if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a)) return die("attach");
    return 0;
  }
  int last = 3; while (last < argc && strcmp(argv[last], "--")) last++;
  struct clone_args args; memset(&args, 0, sizeof args); args.exit_signal = SIGCHLD;
  if (strcmp(argv[2], "-")) {
    args.cgroup = open(argv[2], O_PATH | O_DIRECTORY); args.flags = CLONE_INTO_CGROUP;
    if ((int)args.cgroup < 0) return die(argv[2]);
  }
  int fds[32], n = 0;
  for (int i = 3; i < last; i++) if ((fds[n++] = open(argv[i], O_WRONLY)) < 0) return die(argv[i]);
  pid_t pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return die("clone3");
  if (pid == 0) {
    for (int i = 0; i < n; i++) if (write(fds[i], "0", 1) != 1) _exit(die("join"));
    printf("pid %d\n", getpid()); fflush(stdout);
    exit(work(argv + last + 1));
  }
  int status; waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
`;

let scratch = "";
let helper = "";
const children: ChildProcess[] = [];
const groups: CgroupPaths[] = [];

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "sampan-cgroups-"));
  helper = join(scratch, "helper");
  writeFileSync(`${helper}.c`, helperSource);
  const built = spawnSync("cc", ["-O1", "-o", helper, `${helper}.c`], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`cc: ${built.stderr}`);
});

afterAll(async () => {
  for (const paths of groups) await removeCgroup(paths);
  for (const child of children) child.kill("SIGKILL");
  for (const { mountpoint } of host.hierarchies) if (existsSync(mountpoint + base)) rmdirSync(mountpoint + base);
  rmSync(scratch, { recursive: true });
});

function make(name: string, resources: Resources, on: CgroupHost = host): CgroupPlan {
  const plan = compileCgroup(resources, on, `${base}/${name}`, { read: readText, defaultSwap: "double" });
  groups.push(plan.paths);
  applyPlan(plan);
  expect(readBack(plan)).toEqual([]);
  return plan;
}

interface Running {
  pid: number;
  /** Lines after the pid. */
  line: () => Promise<string>;
  exit: Promise<number>;
}

async function run(plan: CgroupPlan, ...command: string[]): Promise<Running> {
  const child = spawn(helper, ["run", plan.join.v2Directory ?? "-", ...plan.join.v1TaskFiles, "--", ...command], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const exit = new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? -1)));
  const lines: string[] = [];
  let wake: (() => void) | undefined;
  let rest = "";
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    wake?.();
  });
  const line = async (): Promise<string> => {
    while (lines.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return lines.shift() ?? "";
  };
  return { pid: Number((await line()).replace("pid ", "")), line, exit };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!isRoot)("control groups", () => {
  test("a process is in every group of its plan before it runs, and groups vanish with it", async () => {
    const plan = make("join", {});
    expect(() => applyPlan(plan)).toThrow("EEXIST");
    const { pid, exit } = await run(plan, "sleep");
    const memberships = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
    expect(memberships.filter((text) => text.endsWith(`:${base}/join`))).toHaveLength(plan.paths.directories.length);
    expect(listPids(plan.paths)).toEqual([pid]);
    for (const directory of plan.paths.directories) mkdirSync(`${directory}/nested`);
    await removeCgroup(plan.paths);
    expect(await exit).toBe(137);
    for (const directory of plan.paths.directories) expect(existsSync(directory)).toBe(false);
    await removeCgroup(plan.paths);
  });

  test.skipIf(!v1("memory") && host.controllers.get("memory") === undefined)("memory: killed at 5 MB, and the kill is reported", async () => {
    const plan = make("oom", { memory: { limit: 5 << 20 } });
    expect(oomKilled(plan.paths)).toBe(false);
    const { exit } = await run(plan, "hog", "100");
    expect(await exit).toBe(137);
    expect(oomKilled(plan.paths)).toBe(true);
    const { memory } = readStats(plan.paths);
    expect(memory?.oomKills).toBe(1);
    expect(memory?.limitBytes).toBe(5 << 20);
    expect(memory?.maxUsageBytes).toBeLessThanOrEqual(5 << 20);
    const enough = make("enough", { memory: { limit: 64 << 20, swap: 64 << 20 } });
    expect(await (await run(enough, "hog", "30")).exit).toBe(0);
    expect(readStats(enough.paths).memory?.swapLimitBytes).toBe(0);
    expect(oomKilled(enough.paths)).toBe(false);
  });

  test.skipIf(!host.controllers.has("pids"))("pids: fork fails at the limit", async () => {
    const plan = make("pids", { pids: { limit: 5 } });
    const { line } = await run(plan, "fork", "20");
    expect(await line()).toBe("made 4");
    expect(readStats(plan.paths).pids).toEqual({ current: 5, limit: 5 });
    await killAll(plan.paths);
    expect(listPids(plan.paths)).toEqual([]);
  });

  test.skipIf(!host.controllers.has("cpu"))("cpu: 0.2 CPUs are 20 %, two processes together", async () => {
    const { quotaUs: quota, periodUs: period } = cpuQuota(0.2e9);
    const plan = make("cpu", { cpu: { quota, period, shares: 512 } });
    await run(plan, "spin");
    await run(plan, "spin");
    const from = readStats(plan.paths).cpu?.usageNs ?? NaN;
    const start = performance.now();
    await pause(1500);
    const cpu = readStats(plan.paths).cpu;
    const part = ((cpu?.usageNs ?? NaN) - from) / 1e6 / (performance.now() - start);
    expect(part).toBeGreaterThan(0.14);
    expect(part).toBeLessThan(0.26);
    expect(cpu?.throttledPeriods).toBeGreaterThan(3);
    expect(cpu?.throttledNs).toBeGreaterThan(1e8);
  });

  test.skipIf(!host.controllers.has("cpuset"))("cpuset: pinned, with parents filled on v1", async () => {
    const plan = make("cpuset", { cpu: { cpus: "0" } });
    const { pid } = await run(plan, "sleep");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
  });

  test.skipIf(!v1("blkio"))("block I/O: weight and throttle are in force (v1, bfq)", () => {
    const line = /^\s*\d+\s+\d+\s+\d+\s+(?:vd|sd|nvme|xvd)\S*$/m.exec(readFileSync("/proc/partitions", "utf8"))?.[0].trim().split(/\s+/);
    if (line === undefined) throw new Error("this machine has no disk to throttle");
    const disk = { major: Number(line[0]), minor: Number(line[1]) };
    const plan = make("blkio", { blockIO: { weight: 321, throttleReadBpsDevice: [{ ...disk, rate: 1 << 20 }] } });
    const directory = plan.paths.controllers["blkio"]?.directory ?? "";
    expect(readText(`${directory}/blkio.throttle.read_bps_device`)?.trim()).toBe(`${disk.major}:${disk.minor} 1048576`);
    expect((readText(`${directory}/blkio.bfq.weight`) ?? readText(`${directory}/blkio.weight`))?.trim()).toBe("321");
    expect(readStats(plan.paths).io).toBeDefined();
  });

  test("limits that the kernel refuses are told in the user's words", () => {
    const plan = compileCgroup({ cpu: { quota: 10 } }, host, `${base}/refused`, { read: readText });
    groups.push(plan.paths);
    expect(() => applyPlan(plan)).toThrow('Cannot apply --cpus or --cpu-quota "10": the kernel does not accept this value');
  });

  /** What each way of enforcing must say of the same requests: errno, 0 being yes. */
  async function deviceVerdicts(plan: CgroupPlan): Promise<Record<string, string>> {
    const verdicts: Record<string, string> = {};
    for (const request of ["c 1 3 rw", "c 1 9 r", "c 1 1 r", "c 10 229 rw", "c 1 11 w", "c 1 5 rw", "b 7 0 r", "b 254 0 r"]) {
      const { line, exit } = await run(plan, "dev", ...request.split(" "));
      verdicts[request] = await line();
      await exit;
    }
    return verdicts;
  }
  const defaultVerdicts = {
    "c 1 3 rw": "open 0", "c 1 9 r": "open 0", "c 1 1 r": "open 1", "c 10 229 rw": "open 1", "c 1 11 w": "open 1", "c 1 5 rw": "open 0", "b 7 0 r": "open 1", "b 254 0 r": "open 1",
  };

  test.skipIf(!v1("devices"))("devices on v1: nodes can be made, only the harmless ones opened", async () => {
    const plan = make("devices", { devices: defaultDeviceRules() });
    expect(plan.deviceProgram).toBeUndefined();
    expect(await deviceVerdicts(plan)).toEqual(defaultVerdicts);
    // Without rules the same process may: it is the group that forbids it.
    const free = await deviceVerdicts(make("no-rules", {}));
    expect(free["c 1 11 w"]).toBe("open 0");
  });

  test.skipIf(host.unified === undefined)("devices on v2: the kernel takes the program, and it says the same", async () => {
    const others = new Map([...host.controllers].filter(([name]) => name !== "devices"));
    const attach = (name: string, resources: Resources): CgroupPlan => {
      const plan = make(name, resources, { ...host, controllers: others });
      writeFileSync(join(scratch, name), plan.deviceProgram ?? new Uint8Array());
      const { status, stderr } = spawnSync(helper, ["bpf", join(scratch, name), plan.join.v2Directory ?? ""], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      return plan;
    };
    expect(await deviceVerdicts(attach("bpf", { devices: defaultDeviceRules() }))).toEqual(defaultVerdicts);
    // Allowed but for exceptions: a denied part denies the whole.
    const denied = attach("bpf-deny", { devices: [{ allow: false, type: "c", major: 1, minor: 3, access: "w" }] });
    expect(await (await run(denied, "dev", "c", "1", "3", "r")).line()).toBe("open 0");
    expect(await (await run(denied, "dev", "c", "1", "3", "rw")).line()).toBe("open 1");
    // No mknod at all.
    expect(await (await run(attach("bpf-none", { devices: [{ allow: false }] }), "dev", "c", "1", "3", "r")).line()).toBe("mknod 1");
  });

  for (const [kind, on] of [["unified", host], ["v1", withoutUnified]] as const) {
    const able = kind === "unified" ? host.unified !== undefined : v1("freezer", "cpuacct");
    test.skipIf(!able)(`${kind}: a frozen container uses no CPU, a thawed one does, and a frozen one can be killed`, async () => {
      const plan = make(`freeze-${kind}`, {}, on);
      const { exit } = await run(plan, "spin");
      await pause(30);
      await freeze(plan.paths);
      expect(isFrozen(plan.paths)).toBe(true);
      const usage = (): number => readStats(plan.paths).cpu?.usageNs ?? NaN;
      const frozenAt = usage();
      expect(frozenAt).toBeGreaterThan(0);
      await pause(100);
      expect(usage()).toBe(frozenAt);
      await thaw(plan.paths);
      expect(isFrozen(plan.paths)).toBe(false);
      await pause(100);
      expect(usage()).toBeGreaterThan(frozenAt);
      await freeze(plan.paths);
      await removeCgroup(plan.paths);
      expect(await exit).toBe(137);
    });
    test.skipIf(!able)(`${kind}: killing reaches every process, those in groups that the container made too`, async () => {
      const plan = make(`kill-${kind}`, {}, on);
      const { line, exit } = await run(plan, "fork", "10");
      expect(await line()).toBe("made 10");
      const [, second] = listPids(plan.paths);
      for (const directory of plan.paths.directories) {
        mkdirSync(`${directory}/own`);
        writeFileSync(`${directory}/own/cgroup.procs`, String(second));
      }
      expect(listPids(plan.paths)).toHaveLength(11);
      await killAll(plan.paths);
      expect(listPids(plan.paths)).toEqual([]);
      expect(await exit).toBe(137);
      await removeCgroup(plan.paths);
      for (const directory of plan.paths.directories) expect(existsSync(directory)).toBe(false);
    });
  }

  test.skipIf(!v1("memory", "cpuset"))("update: grows, shrinks, joins cpuset late, and takes back half an update", async () => {
    const path = `${base}/update`;
    const plan = make("update", { memory: { limit: 8 << 20, swap: 8 << 20 } });
    const { pid } = await run(plan, "sleep");
    let paths = applyUpdate({ memory: { limit: 32 << 20, swap: 40 << 20 } }, host, path, plan.paths);
    expect(readStats(paths).memory).toMatchObject({ limitBytes: 32 << 20, swapLimitBytes: 8 << 20 });
    paths = applyUpdate({ memory: { limit: 16 << 20, swap: 16 << 20 }, pids: { limit: 7 } }, host, path, paths);
    expect(readStats(paths).memory).toMatchObject({ limitBytes: 16 << 20, swapLimitBytes: 0 });
    expect(readStats(paths).pids?.limit).toBe(7);

    expect(() => applyUpdate({ memory: { limit: 12 << 20 }, cpu: { cpus: "0-4095" } }, host, path, paths)).toThrow("Requested CPUs are not available");
    // Refused by the kernel, after what comes before it is done: more than it has pids for (PID_MAX_LIMIT).
    expect(() => applyUpdate({ memory: { limit: 12 << 20 }, cpu: { cpus: "0" }, pids: { limit: 2 ** 23 } }, host, path, paths)).toThrow("--pids-limit");
    expect(readStats(paths).memory?.limitBytes).toBe(16 << 20);
    const cpuset = host.controllers.get("cpuset")?.mountpoint ?? "";
    expect(existsSync(cpuset + path)).toBe(false);

    paths = applyUpdate({ cpu: { cpus: "0" } }, host, path, paths);
    groups.push(paths);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
    expect(paths.directories).toContain(cpuset + path);
    await removeCgroup(paths);
    expect(existsSync(cpuset + path)).toBe(false);
  });

  test.skipIf(host.controllers.get("hugetlb")?.version !== 2)("hybrid: a controller of the unified hierarchy is enabled on the way down", async () => {
    const control = `${host.unified?.mountpoint ?? ""}/cgroup.subtree_control`;
    const before = readFileSync(control, "utf8");
    try {
      const plan = make("huge", { hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] });
      expect(readText(`${plan.paths.unified ?? ""}/hugetlb.2MB.max`)?.trim()).toBe(String(4 << 20));
      expect(plan.paths.controllers["hugetlb"]?.version).toBe(2);
      await removeCgroup(plan.paths);
    } finally {
      if (!before.includes("hugetlb")) {
        const parent = `${host.unified?.mountpoint ?? ""}${base}/cgroup.subtree_control`;
        if (existsSync(parent)) writeFileSync(parent, "-hugetlb");
        writeFileSync(control, "-hugetlb");
      }
    }
    expect(readFileSync(control, "utf8")).toBe(before);
  });
});
