import { describe, expect, test } from "bun:test";
import type { Resources } from "../../oci/index.ts";
import { SampanError } from "../../base/index.ts";
import { compileCgroup, joinBeside, joinOf } from "./compile.ts";
import { defaultDeviceRules } from "./device-rules.ts";
import { parseCgroupHost } from "./host.ts";
import type { CgroupHost, CgroupPlan, ReadText } from "./types.ts";

const top = "/sys/fs/cgroup";
const mount = (index: number, name: string, options: string): string => `${index} 22 0:${index} / ${top}/${name} rw - cgroup cgroup rw,${options}\n`;
const names = ["cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls,net_prio", "rdma"];
const mounts = names.map((name, index) => mount(30 + index, name, name)).join("") + mount(50, "systemd", "xattr,name=systemd");
const self = names.map((name, index) => `${index + 2}:${name}:/\n`).join("") + "1:name=systemd:/\n";
const nothing: ReadText = () => undefined;

const v1 = parseCgroupHost(mounts, self, nothing);
const v2 = parseCgroupHost(`33 21 0:28 / ${top} rw - cgroup2 cgroup2 rw\n`, "0::/\n", () => "cpuset cpu io memory hugetlb pids rdma\n");
const hybrid = parseCgroupHost(
  mounts.replace(/^.*hugetlb\n/m, "") + `60 22 0:60 / ${top}/unified rw - cgroup2 cgroup2 rw\n`,
  self.replace(/^.*hugetlb.*\n/m, "") + "0::/\n",
  () => "hugetlb\n",
);

const compile = (resources: Resources, host: CgroupHost, read: ReadText = nothing, docker = true): CgroupPlan =>
  compileCgroup(resources, host, "/sampan/ab", { read, ...(docker ? { defaultSwap: "double" as const } : {}) });
/** "memory/memory.limit_in_bytes=5" for each write, without the common part of the path. */
const written = (plan: CgroupPlan): string[] =>
  plan.writes.map((write) =>
    `${write.path.slice(top.length + 1).replace(/\/?sampan\/ab\/(?=[^/]*$)/, (found) => (found.startsWith("/") ? "/" : ""))}=${write.value}`);
/** Those of the container's own group. */
const limits = (plan: CgroupPlan): string[] => written({ ...plan, writes: plan.writes.filter(({ path }) => !path.endsWith("cgroup.subtree_control")) });
const problemsOf = (resources: Resources, host: CgroupHost, read: ReadText = nothing): string => {
  try {
    compile(resources, host, read);
  } catch (error) {
    if (error instanceof SampanError && error.kind === "unsupported") return `${error.message} | ${error.hint ?? ""}`;
    throw error;
  }
  throw new Error("compiled without complaint");
};

describe("which hierarchies", () => {
  test("v1: what stats, pause, devices and later limits need, each once; cpuset only when asked", () => {
    const plan = compile({}, v1);
    expect(plan.remove.map((path) => path.slice(top.length + 1))).toEqual([
      "memory/sampan/ab", "cpu,cpuacct/sampan/ab", "pids/sampan/ab", "blkio/sampan/ab", "devices/sampan/ab", "freezer/sampan/ab",
      "systemd/sampan/ab",
    ]);
    expect(plan.join.v1TaskFiles).toHaveLength(7);
    expect(plan.join.v2Directory).toBeUndefined();
    expect(plan.writes).toEqual([]);
    expect(plan.directories.slice(0, 2)).toEqual([
      { path: `${top}/memory/sampan`, leaf: false, version: 1 },
      { path: `${top}/memory/sampan/ab`, leaf: true, version: 1 },
    ]);
    expect(plan.paths.controllers["cpuacct"]).toEqual({ version: 1, directory: `${top}/cpu,cpuacct/sampan/ab` });
    expect(joinOf(plan.paths)).toEqual(plan.join);
  });
  test("hybrid: the unified hierarchy freezes, kills and counts, so the v1 freezer is left out", () => {
    const plan = compile({}, hybrid);
    expect(plan.join.v2Directory).toBe(`${top}/unified/sampan/ab`);
    expect(Object.keys(plan.paths.controllers)).not.toContain("freezer");
    expect(plan.remove.filter((path) => path.includes("systemd"))).toEqual([]);
    expect(Object.keys(plan.paths.controllers)).not.toContain("hugetlb");
  });
  test("v2: one directory; controllers are enabled from the top down, and only those that are not yet", () => {
    expect(compile({}, v2).remove).toEqual([`${top}/sampan/ab`]);
    expect(written(compile({}, v2))).toEqual(["cgroup.subtree_control=+memory +cpu +pids +io", "sampan/cgroup.subtree_control=+memory +cpu +pids +io"]);
    const read: ReadText = (path) => (path === `${top}/cgroup.subtree_control` ? "cpu io memory pids\n" : "memory\n");
    expect(written(compile({ cpu: { cpus: "0" } }, v2, read))).toEqual([
      "cgroup.subtree_control=+cpuset",
      "sampan/cgroup.subtree_control=+cpuset",
      "sampan/cgroup.subtree_control=+cpu +pids +io",
      "cpuset.cpus=0",
    ]);
    expect(written(compile({}, v2, () => "cpu io memory pids cpuset\n"))).toEqual([]);
  });
  test("v2: a group above that hands nothing on is an error where a limit needs it, and no matter where it does not", () => {
    const handing = compile({ memory: { limit: 4096 } }, v2).writes.filter(({ path }) => path.endsWith("cgroup.subtree_control"));
    expect(handing.map(({ value, ignoreErrno }) => [value, ignoreErrno?.includes("EBUSY") === true])).toEqual([
      ["+memory", false],
      ["+cpu +pids +io", true],
      ["+memory", false],
      ["+cpu +pids +io", true],
    ]);
  });
  test("v2: one more process is born beside the first where the container's group itself takes none", () => {
    const { join } = compile({}, v2);
    const beside = (control: string, text: string, host = v2): string | undefined =>
      joinBeside(join, host.unified, () => text, (path) => (path === `${top}/sampan/ab/cgroup.subtree_control` ? control : undefined)).v2Directory?.slice(
        top.length,
      );
    expect(beside("", "0::/sampan/ab/init\n")).toBe("/sampan/ab");
    expect(beside("memory\n", "0::/sampan/ab/init.scope\n")).toBe("/sampan/ab/init.scope");
    expect(beside("memory\n", "0::/sampan/ab\n")).toBe("/sampan/ab");
    // Somewhere else is not followed, nor a group whose name begins alike.
    expect(beside("memory\n", "0::/sampan/abc\n")).toBe("/sampan/ab");
    expect(beside("memory\n", "0::/user.slice\n")).toBe("/sampan/ab");
    // An engine in a container, without a cgroup namespace: the mount shows a part of the tree, the kernel's text all of it.
    const nested = parseCgroupHost(`33 21 0:28 /docker/x ${top} rw - cgroup2 cgroup2 rw\n`, "0::/docker/x\n", () => "memory\n");
    expect(beside("memory\n", "0::/docker/x/sampan/ab/init\n", nested)).toBe("/sampan/ab/init");
  });
  test("paths that leave the tree are refused", () => {
    for (const path of ["sampan/ab", "/", "/sampan/../x", "/sampan//x", "/a/.", "/a\n", ""]) {
      expect(() => compileCgroup({}, v1, path, { read: nothing })).toThrow("Cannot use cgroup path");
    }
  });
});

describe("memory", () => {
  test("v1: the limit before the sum; the default sum is twice the limit and may be uncounted", () => {
    const plan = compile({ memory: { limit: 5_000_001 } }, v1);
    expect(written(plan)).toEqual(["memory/memory.limit_in_bytes=5000001", "memory/memory.memsw.limit_in_bytes=10000002"]);
    expect(plan.writes[0]).toMatchObject({ option: "--memory", expect: { equals: String(1220 * 4096) } });
    expect(plan.writes[1]?.ignoreErrno).toEqual(["ENOENT"]);
    expect(written(compile({ memory: { limit: 5_000_001 } }, v1, nothing, false))).toHaveLength(1);
  });
  test("no swap at all: the sum equals the limit, and must be in force", () => {
    const plan = compile({ memory: { limit: 8192, swap: 8192 } }, v1);
    expect(plan.writes[1]).toMatchObject({ value: "8192", option: "--memory-swap" });
    expect(plan.writes[1]?.ignoreErrno).toBeUndefined();
    expect(limits(compile({ memory: { limit: 8192, swap: 8192 } }, v2))).toEqual(["memory.swap.max=0", "memory.max=8192"]);
  });
  test("unlimited swap", () => {
    expect(written(compile({ memory: { limit: 8192, swap: -1 } }, v1))).toEqual(["memory/memory.limit_in_bytes=8192"]);
    expect(limits(compile({ memory: { limit: 8192, swap: -1 } }, v2))).toEqual(["memory.max=8192"]);
  });
  test("the rest, and what v2 does not have", () => {
    expect(written(compile({ memory: { reservation: 4096, swappiness: 0, disableOOMKiller: true, kernelTCP: 1 } }, v1))).toEqual([
      "memory/memory.soft_limit_in_bytes=4096", "memory/memory.kmem.tcp.limit_in_bytes=1", "memory/memory.swappiness=0", "memory/memory.oom_control=1",
    ]);
    expect(written(compile({ memory: { reservation: 4096 } }, v2)).at(-1)).toBe("memory.low=4096");
    const text = problemsOf({ memory: { swappiness: 0, disableOOMKiller: true, kernel: 1, swap: 5 } }, v2);
    for (const option of ["--memory-swappiness", "--oom-kill-disable", "--kernel-memory", "--memory-swap"]) expect(text).toContain(`Cannot apply ${option}:`);
  });
});

describe("cpu and cpuset", () => {
  test("period before quota, idle last", () => {
    expect(written(compile({ cpu: { quota: 4000, period: 50_000, shares: 512, burst: 10, idle: 1 } }, v1))).toEqual([
      "cpu,cpuacct/cpu.shares=512", "cpu,cpuacct/cpu.cfs_period_us=50000", "cpu,cpuacct/cpu.cfs_quota_us=4000",
      "cpu,cpuacct/cpu.cfs_burst_us=10", "cpu,cpuacct/cpu.idle=1",
    ]);
    expect(limits(compile({ cpu: { quota: 250_000, shares: 512 } }, v2))).toEqual(["cpu.weight=50", "cpu.max=250000 100000"]);
    expect(limits(compile({ cpu: { quota: -1 } }, v2))).toEqual([]);
    expect(problemsOf({ cpu: { realtimeRuntime: 1 } }, v2)).toContain("--cpu-rt-runtime");
  });
  test("v1 cpuset: parents first, both files, and a parent that is filled is left alone", () => {
    const files: Record<string, string> = { [`${top}/cpuset/cpuset.cpus`]: "0-3\n", [`${top}/cpuset/cpuset.mems`]: "0\n" };
    const plan = compile({ cpu: { cpus: "0,1" } }, v1, (path) => files[path]);
    expect(written(plan)).toEqual(["cpuset/sampan/cpuset.cpus=0-3", "cpuset/cpuset.cpus=0,1", "cpuset/sampan/cpuset.mems=0", "cpuset/cpuset.mems=0"]);
    expect(plan.writes[1]?.expect).toMatchObject({ equals: "0-1" });
    expect(plan.join.v1TaskFiles).toContain(`${top}/cpuset/sampan/ab/tasks`);
    files[`${top}/cpuset/sampan/cpuset.cpus`] = "1\n";
    files[`${top}/cpuset/sampan/cpuset.mems`] = "0\n";
    expect(written(compile({ cpu: { mems: "0" } }, v1, (path) => files[path]))).toEqual(["cpuset/cpuset.cpus=1", "cpuset/cpuset.mems=0"]);
  });
  test("CPUs and memory nodes that are not there are refused in Docker's words, whatever the kernel would make of them", () => {
    const onV1 = (path: string): string | undefined => ({ [`${top}/cpuset/cpuset.cpus`]: "0-3\n", [`${top}/cpuset/cpuset.mems`]: "0\n" })[path];
    const onV2 = (path: string): string | undefined => ({ [`${top}/cpuset.cpus.effective`]: "0-3\n", [`${top}/cpuset.mems.effective`]: "0\n" })[path];
    for (const [host, read] of [[v1, onV1], [v2, onV2]] as const) {
      expect(problemsOf({ cpu: { cpus: "2,5" } }, host, read)).toStartWith("Requested CPUs are not available - requested 2,5, available: 0-3");
      expect(problemsOf({ cpu: { mems: "1" } }, host, read)).toStartWith("Requested memory nodes are not available - requested 1, available: 0");
      expect(compile({ cpu: { cpus: "0-3", mems: "0" } }, host, read).writes.map(({ value }) => value)).toContain("0-3");
    }
    // What a group above was narrowed to counts.
    const narrowed: ReadText = (path) => (path === `${top}/sampan/cpuset.cpus.effective` ? "1\n" : onV2(path));
    expect(problemsOf({ cpu: { cpus: "0" } }, v2, narrowed)).toContain("available: 1");
  });
  test("cpuset mounted together with memory must be filled though nobody asked", () => {
    const host = parseCgroupHost(mount(30, "all", "cpuset,memory"), "2:cpuset,memory:/\n", nothing);
    expect(written(compile({}, host, () => "0-7\n"))).toEqual(["all/cpuset.cpus=0-7", "all/cpuset.mems=0-7"]);
  });
});

describe("other controllers", () => {
  test("pids, block I/O, huge pages, RDMA, network", () => {
    const resources: Resources = {
      pids: { limit: 10 },
      blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 100 }], throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 7 }] },
      hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
      rdma: { mlx5_0: { hcaHandles: 3 } },
      network: { classID: 1_048_577, priorities: [{ name: "eth0", priority: 5 }] },
    };
    expect(written(compile(resources, v1))).toEqual([
      "pids/pids.max=10", "blkio/blkio.bfq.weight=500", "blkio/blkio.throttle.read_bps_device=8:0 100", "blkio/blkio.throttle.write_iops_device=8:0 7",
      "hugetlb/hugetlb.2MB.limit_in_bytes=0", "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes=0",
      "net_cls,net_prio/net_cls.classid=1048577", "net_cls,net_prio/net_prio.ifpriomap=eth0 5", "rdma/rdma.max=mlx5_0 hca_handle=3",
    ]);
    const { network: _, ...rest } = resources;
    const plan = compile(rest, v2, () => "cpu cpuset io memory pids hugetlb rdma");
    expect(written(plan)).toEqual([
      "pids.max=10", "io.bfq.weight=default 500", "io.max=8:0 rbps=100 wiops=7", "hugetlb.2MB.max=0", "hugetlb.2MB.rsvd.max=0",
      "rdma.max=mlx5_0 hca_handle=3",
    ]);
    expect(plan.writes[1]?.orElse).toEqual({ path: `${top}/sampan/ab/io.weight`, value: "default 4950" });
    expect(plan.writes[2]?.expect).toMatchObject({ line: "8:0 rbps=100 wbps=max riops=max wiops=7" });
    expect(problemsOf(resources, v2)).toContain("network.classID");
    expect(written(compile({ hugepageLimits: [{ pageSize: "2MB", limit: 4 }] }, hybrid))[0]).toBe("unified/cgroup.subtree_control=+hugetlb");
  });
  test("devices: v1 one rule per write after denying all; v2 a program; none where nothing is restricted", () => {
    const plan = compile({ devices: defaultDeviceRules() }, v1);
    expect(written(plan)).toEqual(["devices/devices.deny=a", "devices/devices.allow=c *:* m", "devices/devices.allow=b *:* m",
      ...["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2", "136:*"].map((number) => `devices/devices.allow=c ${number} rwm`)]);
    expect(plan.deviceProgram).toBeUndefined();
    expect(compile({ devices: defaultDeviceRules() }, v2).deviceProgram?.byteLength).toBeGreaterThan(100);
    expect(compile({ devices: [{ allow: true, access: "rwm" }] }, v2).deviceProgram).toBeUndefined();
    expect(written(compile({ devices: [{ allow: true, access: "rwm" }] }, v1))).toEqual([]);
  });
  test("unified: one file of an available controller, nothing else", () => {
    expect(limits(compile({ unified: { "memory.high": "5M", "cgroup.max.depth": "2" } }, v2))).toEqual(["memory.high=5M", "cgroup.max.depth=2"]);
    expect(written(compile({ unified: { "hugetlb.2MB.max": "0" } }, hybrid)).at(-1)).toBe("unified/hugetlb.2MB.max=0");
    for (const key of ["../memory.max", "a/b.c", "cgroup.procs", "cgroup.kill", "cgroup.subtree_control", "nosuch.max", "memory", "misc.max"]) {
      expect(problemsOf({ unified: { [key]: "1" } }, v2)).toContain(`unified "${key}"`);
    }
    expect(problemsOf({ unified: { "memory.high": "1" } }, v1)).toContain("no cgroup v2");
  });
});

test("a limit whose controller is missing is an error that names all flags at once", () => {
  const bare = parseCgroupHost(mount(30, "cpu", "cpu"), "2:cpu:/\n", nothing);
  const text = problemsOf({ memory: { limit: 1 }, pids: { limit: 1 }, cpu: { cpus: "0" }, blockIO: { weight: 10 }, devices: defaultDeviceRules() }, bare);
  for (const part of ["--memory:", '"memory"', "--pids-limit:", "--cpuset-cpus:", "--blkio-weight:", "device rules:", "cgroup_enable=memory"])
    expect(text).toContain(part);
  // Without a limit asked for, nothing is missed.
  expect(compile({ memory: { limit: -1 }, pids: { limit: -1 } }, bare).remove).toEqual([`${top}/cpu/sampan/ab`]);
});
