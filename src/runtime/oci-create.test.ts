import { describe, expect, test } from "bun:test";
import type { Namespace, RuntimeConfig } from "../oci/index.ts";
import type { Call } from "../plan/index.ts";
import { compileCreate } from "./oci-create.ts";
import type { OciLaunch } from "./oci-launch.ts";
import { isContainerId, validateConfig } from "./validate.ts";

const config: RuntimeConfig = {
  ociVersion: "1.3.0", root: { path: "/r" }, process: { cwd: "/", args: ["prog"], env: ["PATH=/bin:/usr/bin"] },
  linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "network" }] },
};

function launch(change: Partial<RuntimeConfig> = {}, more: Partial<OciLaunch> = {}): OciLaunch {
  return {
    config: { ...config, ...change }, host: { arch: "x64", kernel: [6, 1], cgroupMounts: [], lastCapability: 40 }, name: "c",
    root: { kind: "directory", path: "/r" },
    mountPoint: "/m", init: false, trace: false, end: "created", gate: { gate: "/s/gate", told: "/s/told" }, keepBelow: 3, hookOutput: 3, hookEnvironment: [],
    state: { ociVersion: "1.3.0", id: "c", bundle: "/b" }, ownStreams: [], idleStreams: [], ...more,
  };
}

const names = (calls: readonly Call[]): string[] => calls.map(({ op, name }) => (op === "call" ? name : op));
const find = (calls: readonly Call[], what: RegExp): number => calls.findIndex(({ options, op }) => what.test(`${op} ${options.what ?? ""}`));

describe("compileCreate", () => {
  test("no monitor stays: the outer side ends, the inner waits at the gate before it executes", () => {
    const { outer, inner, flags } = compileCreate(launch());
    expect(flags.fork).toBe(false);
    expect(names(outer.calls).at(-1)).toBe("exit");
    expect(find(inner.calls, /wait for the start/)).toBeGreaterThan(find(inner.calls, /change to the root/));
    expect(names(inner.calls).indexOf("execve")).toBeGreaterThan(find(inner.calls, /wait for the start/));
  });

  test("hides from other processes of its pid namespace while it waits", () => {
    const hides = (namespaces: Namespace[]): boolean => find(compileCreate(launch({ linux: { namespaces } })).inner.calls, /hide from the processes/) >= 0;
    expect([hides([{ type: "mount" }]), hides([{ type: "mount" }, { type: "pid", path: "/proc/7/ns/pid" }]), hides([{ type: "mount" }, { type: "pid" }])]).toEqual([true, true, false]);
  });

  test("that the program is there is known before the gate", () => {
    const { inner } = compileCreate(launch());
    expect(names(inner.calls).indexOf("faccessat2")).toBeLessThan(find(inner.calls, /wait for the start/));
  });

  test("hooks stand where the lifecycle has them", () => {
    const hook = (path: string): { path: string }[] => [{ path }];
    const { outer, inner } = compileCreate(launch({ hooks: {
      prestart: hook("/p"),
      createRuntime: hook("/cr"),
      createContainer: hook("/cc"),
      startContainer: hook("/sc"),
    } }));
    expect(find(outer.calls, /spawn.*prestart/)).toBeGreaterThan(find(outer.calls, /clone/));
    expect(find(outer.calls, /spawn.*createRuntime/)).toBeGreaterThan(find(outer.calls, /spawn.*prestart/));
    expect(find(inner.calls, /spawn.*createContainer/)).toBeLessThan(names(inner.calls).indexOf("pivot_root"));
    expect(find(inner.calls, /spawn.*startContainer/)).toBeGreaterThan(find(inner.calls, /wait for the start/));
  });

  test("in a user namespace the host's trees are taken outside, before the clone", () => {
    const linux = {
      namespaces: [{ type: "mount" as const }, { type: "user" as const }],
      uidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
    };
    const { outer, inner } = compileCreate(launch({ linux }));
    const outside = names(outer.calls);
    expect(outside.indexOf("open_tree")).toBeGreaterThanOrEqual(0);
    expect(outside.indexOf("open_tree")).toBeLessThan(outside.indexOf("clone"));
    expect(find(inner.calls, /open the root filesystem/)).toBe(-1);
  });

  test("a mount namespace with a path is entered inside only", () => {
    const { outer, inner } = compileCreate(launch({ linux: { namespaces: [{ type: "mount", path: "/proc/1/ns/mnt" }] } }));
    expect(names(outer.calls)).not.toContain("setns");
    expect(names(inner.calls)).toContain("setns");
  });
});

describe("validateConfig", () => {
  test("nothing to say about a good config; every problem of a bad one", () => {
    expect(validateConfig(config)).toEqual([]);
    const problems = validateConfig({
      ociVersion: "1.0.0", hostname: "h",
      linux: { namespaces: [{ type: "mount" }, { type: "mount" }], timeOffsets: { boottime: { secs: 1 } }, sysctl: { "net.ipv4.ip_forward": "1" } },
      process: { cwd: "x", args: [], rlimits: [{ type: "RLIMIT_X", soft: 2, hard: 1 }] }, hooks: { poststop: [{ path: "x" }] },
    });
    expect(problems.length).toBeGreaterThanOrEqual(9);
  });

  test("SCHED_DEADLINE: runtime, deadline and period in their order", () => {
    const withTimes = (runtime?: number, deadline?: number, period?: number): string[] =>
      validateConfig({ ...config, process: { cwd: "/", args: ["x"], scheduler: {
        policy: "SCHED_DEADLINE",
        ...(runtime === undefined ? {} : { runtime }),
        ...(deadline === undefined ? {} : { deadline }),
        ...(period === undefined ? {} : { period }),
      } } });
    for (const good of [[1024, 1024], [10_000, 20_000, 20_000], [10_000, 20_000, 0]] as const) expect(withTimes(...good)).toEqual([]);
    for (const bad of [[], [0, 20_000, 20_000], [1023, 20_000], [20_000, 10_000, 30_000], [10_000, 30_000, 20_000], [10_000]] as const)
      expect(withTimes(...bad).join()).toContain("SCHED_DEADLINE needs 1024 ns <= runtime <= deadline <= period");
  });

  test("ids become names of directories, and nothing else", () => {
    for (const good of ["a", "A.b-c_d+1", ".hidden", "a".repeat(255)]) expect(isContainerId(good)).toBe(true);
    for (const bad of ["", ".", "..", "a/b", "../a", "a b", "a\n", "ä", "a".repeat(256)]) expect(isContainerId(bad)).toBe(false);
  });
});
