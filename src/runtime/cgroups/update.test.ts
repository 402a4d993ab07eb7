import { describe, expect, test } from "bun:test";
import type { Resources } from "../../oci/index.ts";
import { compileCgroup } from "./compile.ts";
import { parseCgroupHost } from "./host.ts";
import type { CgroupHost } from "./types.ts";
import { compileUpdate } from "./update.ts";

const mounts = [
  "cpu",
  "cpuset",
  "memory",
  "pids",
].map((name, index) => `${30 + index} 2 0:${30 + index} / /cg/${name} rw - cgroup cgroup rw,${name}\n`).join("");
const v1 = parseCgroupHost(mounts, "1:cpu:/\n2:cpuset:/\n3:memory:/\n4:pids:/\n", () => undefined);
const v2 = parseCgroupHost("33 2 0:28 / /cg rw - cgroup2 none rw\n", "0::/\n", () => "cpuset cpu io memory pids");

/** The writes of an update to a group whose files are as given, names relative to /cg. */
function update(host: CgroupHost, resources: Resources, files: Record<string, string>, options?: { keepSum: boolean }): string[] {
  const { paths } = compileCgroup({}, host, "/s/a", { read: () => undefined });
  const plan = compileUpdate(resources, host, "/s/a", paths, (path) => files[path.slice("/cg/".length)], options);
  return [...plan.newGroups.map(({ directory }) => `mkdir ${directory.slice(4)}`), ...plan.writes.map((write) => `${write.path.slice(4)}=${write.value}`)];
}

describe("update", () => {
  test("v1 memory grows sum first and shrinks limit first", () => {
    const files = { "memory/s/a/memory.memsw.limit_in_bytes": "20000\n" };
    expect(update(v1, { memory: { limit: 40_000, swap: 80_000 } }, files)).toEqual([
      "memory/s/a/memory.memsw.limit_in_bytes=80000",
      "memory/s/a/memory.limit_in_bytes=40000",
    ]);
    expect(update(v1, { memory: { limit: 5000, swap: 8000 } }, files)).toEqual([
      "memory/s/a/memory.limit_in_bytes=5000",
      "memory/s/a/memory.memsw.limit_in_bytes=8000",
    ]);
    expect(update(v1, { memory: { limit: 40_000, swap: -1 } }, files)[0]).toEqual("memory/s/a/memory.memsw.limit_in_bytes=-1");
    expect(() => update(v1, { memory: { limit: 40_000 } }, files)).toThrow("raise --memory-swap in the same update");
    // The default sum is for new groups: an update changes what it names.
    expect(update(v1, { memory: { limit: 5000 } }, files)).toEqual(["memory/s/a/memory.limit_in_bytes=5000"]);
  });

  test("v2 swap is told from the limit in force; only what is given changes", () => {
    const files = {
      "s/a/memory.max": "10000\n",
      "s/a/cpu.max": "5000 200000\n",
      "cgroup.subtree_control": "cpu memory",
      "s/cgroup.subtree_control": "cpu memory",
    };
    expect(update(v2, { memory: { swap: 15_000 } }, files)).toEqual(["s/a/memory.swap.max=5000"]);
    expect(update(v2, { memory: { limit: 12_000, swap: 12_000 } }, files)).toEqual(["s/a/memory.swap.max=0", "s/a/memory.max=12000"]);
    expect(update(v2, { memory: { limit: -1, swap: -1 } }, files)).toEqual(["s/a/memory.swap.max=max", "s/a/memory.max=max"]);
    expect(update(v2, { cpu: { quota: 7000 } }, files)).toEqual(["s/a/cpu.max=7000 200000"]);
    expect(update(v2, { cpu: { period: 50_000 } }, files)).toEqual(["s/a/cpu.max=5000 50000"]);
    expect(update(v2, { cpu: { quota: -1, idle: 0, shares: 512 } }, files)).toEqual(["s/a/cpu.idle=0", "s/a/cpu.weight=50", "s/a/cpu.max=max 200000"]);
    expect(update(v2, { pids: { limit: -1 } }, files)).toEqual(["s/a/pids.max=max"]);
  });

  test("v2 keeps memory plus swap, where that is asked for, as v1 does by itself", () => {
    const files = { "s/a/memory.max": "10000\n", "s/a/memory.swap.max": "10000\n" };
    const keepSum = { keepSum: true };
    expect(update(v2, { memory: { limit: 12_000 } }, files)).toEqual(["s/a/memory.max=12000"]);
    expect(update(v2, { memory: { limit: 12_000 } }, files, keepSum)).toEqual(["s/a/memory.swap.max=8000", "s/a/memory.max=12000"]);
    expect(update(v2, { memory: { limit: 20_000 } }, files, keepSum)[0]).toBe("s/a/memory.swap.max=0");
    expect(() => update(v2, { memory: { limit: 20_001 } }, files, keepSum)).toThrow("raise --memory-swap in the same update");
    // Without a limit of either there is no sum to keep, nor where the kernel does not count swap.
    for (const other of [{ "s/a/memory.max": "max\n", "s/a/memory.swap.max": "max\n" }, { "s/a/memory.max": "10000\n" }])
      expect(update(v2, { memory: { limit: 12_000 } }, other, keepSum)).toEqual(["s/a/memory.max=12000"]);
  });

  test("checkBeforeUpdate refuses less than is in use", () => {
    expect(() => update(v2, { memory: { limit: 5000, checkBeforeUpdate: true } }, { "s/a/memory.current": "6000" })).toThrow("6000 bytes are in use");
    expect(() =>
      update(v1, { memory: { limit: 5000, checkBeforeUpdate: true } }, { "memory/s/a/memory.usage_in_bytes": "6000" })).toThrow("6000 bytes are in use");
  });

  test("a controller that the container did not join is joined now", () => {
    const files = { "cpuset/cpuset.cpus": "0-3", "cpuset/cpuset.mems": "0" };
    expect(update(v1, { cpu: { cpus: "1" } }, files)).toEqual([
      "mkdir cpuset/s/a", "cpuset/s/cpuset.cpus=0-3", "cpuset/s/a/cpuset.cpus=1", "cpuset/s/cpuset.mems=0", "cpuset/s/a/cpuset.mems=0",
    ]);
    expect(update(v2, { cpu: { cpus: "1" } }, {})).toEqual(["cgroup.subtree_control=+cpuset", "s/cgroup.subtree_control=+cpuset", "s/a/cpuset.cpus=1"]);
  });

  test("a controller that v2 has and the group has not is handed on now, whatever was recorded", () => {
    const { paths } = compileCgroup({ cpu: { cpus: "0" } }, v2, "/s/a", { read: () => undefined });
    expect(paths.controllers["cpuset"]).toBeDefined();
    const files: Record<string, string> = {
      "s/a/cgroup.controllers": "cpu io memory pids\n",
      "cgroup.subtree_control": "cpu io memory pids",
      "s/cgroup.subtree_control": "cpu io memory pids",
    };
    const { writes } = compileUpdate({ cpu: { cpus: "1" } }, v2, "/s/a", paths, (path) => files[path.slice("/cg/".length)]);
    expect(writes.map(({ path, value }) => `${path}=${value}`)).toEqual([
      "/cg/cgroup.subtree_control=+cpuset",
      "/cg/s/cgroup.subtree_control=+cpuset",
      "/cg/s/a/cpuset.cpus=1",
    ]);
  });

  test("what cannot be changed is said", () => {
    expect(() => update(v2, { devices: [{ allow: false }] }, {})).toThrow("Cannot change device rules");
    expect(() => update(v1, { hugepageLimits: [{ pageSize: "2MB", limit: 1 }], unified: { "memory.high": "1" } }, {})).toThrow(/hugepageLimits[^]*unified/);
  });
});
