// slow
/** PITFALLS "cgroups" and the acceptance experiments 1–5: limits by what they do to programs that break them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, installProbe, waitFor, type CommandResult, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const words = (flags: string[], command: string[]): string[] => ["run", "--network", "none", "--rootfs", rootfs, ...flags, ...command];
const limited = (flags: string[], command: string[]): Promise<CommandResult> => sandbox.sampan(words(["--rm", ...flags], command));

/** The container's group in every hierarchy, v1 or v2. */
function groupsOf(id: string): string[] {
  const roots = readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(" ")[4] ?? "");
  return roots.map((root) => join(root, "sampan", id)).filter((path) => existsSync(path));
}

interface Inspected { Id: string; State: { OOMKilled: boolean; ExitCode: number; Pid: number } }
const inspect = async (name: string): Promise<Inspected> => {
  const [found] = JSON.parse(await sandbox.ok(["container", "inspect", name])) as Inspected[];
  if (found === undefined) throw new Error(`No "${name}".`);
  return found;
};

const cpuSeconds = (text: string): number => Number(/"cpu_seconds":([\d.]+)/.exec(text)?.[1]);

describe("memory (experiments 1 and 4)", () => {
  test.each([["5M", 5], ["12M", 12], ["100m", 100]])("-m %s: killed near the limit, OOMKilled, 137, no group left", async (limit, megabytes) => {
    const name = `oom-${limit}`;
    const result = await sandbox.sampan(words(["-m", limit, "--memory-swap", limit, "--name", name], ["/probe", "alloc", "300"]));
    expect(result.exitCode).toBe(137);
    const reached = Number(result.stdout.trim().split("\n").at(-1));
    expect(reached).toBeGreaterThanOrEqual(Math.floor(megabytes * 0.75) - 1);
    expect(reached).toBeLessThanOrEqual(megabytes);
    const { Id, State } = await inspect(name);
    expect(State).toMatchObject({ OOMKilled: true, ExitCode: 137 });
    expect(groupsOf(Id)).toEqual([]);
    await sandbox.ok(["rm", name]);
  });

  test("a program that ends well was not killed for memory", async () => {
    await sandbox.ok(words(["-m", "64m", "--name", "well"], ["/probe", "alloc", "5"]));
    expect((await inspect("well")).State.OOMKilled).toBe(false);
    await sandbox.ok(["rm", "well"]);
  });

  test("--mem=128 --swap=0 is megabytes, and no swap at all", async () => {
    const result = await limited(["--mem=128", "--swap=0"], ["/probe", "alloc", "200"]);
    expect(result.exitCode).toBe(137);
    expect(Number(result.stdout.trim().split("\n").at(-1))).toBeWithin(100, 129);
    expect((await limited(["-mem", "128", "--swap", "0"], ["/probe", "alloc", "90"])).exitCode).toBe(0);
  });
});

describe("processes (experiment 3)", () => {
  test("--pids=7 and --pids-limit 7 are exactly seven tasks", async () => {
    for (const flag of ["--pids=7", "-pids=7", "--pids-limit=7"]) expect((await limited([flag], ["/probe", "forkbomb", "20"])).stdout).toBe('{"children":6,"errno":"EAGAIN"}\n');
    expect((await limited(["--pids=7"], ["sh", "-c", "/probe forkbomb 20; true"])).stdout).toBe('{"children":5,"errno":"EAGAIN"}\n'); // the shell is one of them
  });

  test("a limit of one is enough for one: nothing of the engine's counts", async () => {
    expect((await limited(["--pids-limit", "1"], ["true"])).exitCode).toBe(0);
  });
});

describe("CPU (experiments 2 and 5)", () => {
  const share = async (cpus: string, seconds = 3): Promise<number> => cpuSeconds((await limited([`--cpus=${cpus}`], ["/probe", "spin", String(seconds)])).stdout) / seconds;

  /** What else runs on the machine takes CPU away and gives none: measured again, twice at most, while it is less than `least`. */
  const undisturbed = async (least: number, measure: () => Promise<number>): Promise<number> => {
    for (let more = 2; ; more -= 1) {
      const part = await measure();
      if (part >= least || more === 0) return part;
    }
  };

  test("--cpus=0.2 with one busy loop, and with two, one of them by exec", async () => {
    expect(await undisturbed(0.17, () => share("0.2"))).toBeWithin(0.17, 0.23);
    await sandbox.ok(words(["-d", "--name", "busy", "--cpus=0.2"], ["sleep", "60"]));
    const both = await undisturbed(0.17, async () => {
      const loops = await Promise.all([1, 2].map(() => sandbox.ok(["exec", "busy", "/probe", "spin", "3"])));
      return loops.map(cpuSeconds).reduce((sum, value) => sum + value, 0) / 3;
    });
    expect(both).toBeWithin(0.17, 0.235);
    await sandbox.ok(["rm", "-f", "busy"]);
  }, 60_000);

  test("--cpus=0.04 is not unlimited", async () => expect(await share("0.04")).toBeWithin(0.02, 0.07), 20_000);

  test("--cpus=2.5 is two and a half CPUs, also where there are fewer", async () => {
    const read = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || cat /sys/fs/cgroup/cpu.max";
    const [quota = 0, period = 0] = (await limited(["--cpus=2.5"], ["sh", "-c", read])).stdout.trim().split(/\s+/).map(Number);
    expect(quota / period).toBe(2.5);
    expect(period).toBeLessThanOrEqual(100_000);
  });

  test("-cpushare 512 beside 1024 on one pinned CPU: 1 to 2", async () => {
    const one = (name: string, shares: string): Promise<string> => sandbox.ok(words(["-d", "--name", name, "-cpuset", "1", "-cpushare", shares], ["sh", "-c", "sleep 0.5; exec /probe spin 4"]));
    await Promise.all([one("half", "512"), one("whole", "1024")]);
    await sandbox.ok(["wait", "half", "whole"]);
    const [half, whole] = await Promise.all(["half", "whole"].map(async (name) => cpuSeconds(await sandbox.ok(["logs", name]))));
    expect((whole ?? 0) / (half ?? 1)).toBeWithin(1.8, 2.2);
    await sandbox.ok(["rm", "half", "whole"]);
  }, 30_000);

  test("--cpuset-cpus, --cpu-quota with --cpu-period, --cpu-shares", async () => {
    expect((await limited(["--cpuset-cpus", "1"], ["grep", "Cpus_allowed_list", "/proc/self/status"])).stdout.trim()).toEndWith("1");
    const spun = cpuSeconds((await limited(["--cpu-quota", "5000", "--cpu-period", "50000"], ["/probe", "spin", "2"])).stdout) / 2;
    expect(spun).toBeWithin(0.06, 0.14);
  }, 20_000);
});

describe("the group itself (PITFALLS)", () => {
  test("one per container, in every hierarchy, for every thread; the engine's own processes are outside", async () => {
    await sandbox.ok(words(["-d", "--name", "grouped", "-m", "64m"], ["sleep", "60"]));
    const { Id, State } = await inspect("grouped");
    const groups = groupsOf(Id);
    expect(groups.length).toBeGreaterThan(0);
    for (const group of groups) expect(readFileSync(join(group, "cgroup.procs"), "utf8").trim()).toBe(String(State.Pid));
    const monitor = /^\d+/.exec(readFileSync(join(sandbox.state, "containers", Id, "monitor"), "utf8"))?.[0] ?? "";
    expect(readFileSync(`/proc/${monitor}/cgroup`, "utf8")).not.toContain(Id);
    await sandbox.ok(["rm", "-f", "grouped"]);
    expect(groupsOf(Id)).toEqual([]);
  });

  test("a limit that cannot be set fails the start, and leaves no group", async () => {
    const before = groupsOf("").flatMap((root) => readdirSync(root));
    const result = await limited(["--cpuset-cpus", "4000"], ["true"]);
    expect(result.exitCode).toBe(125);
    expect(result.stderr).toMatch(/Requested CPUs are not available - requested 4000, available: \d/);
    await waitFor("the groups to go", () => groupsOf("").flatMap((root) => readdirSync(root)).length <= before.length);
  });

  test("limits hold before the first instruction: the program finds them set", async () => {
    const read = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    expect((await limited(["-m", "64m"], ["sh", "-c", read])).stdout.trim()).toBe(String(64 << 20));
    const cannot = await limited(["-m", "64m"], ["sh", "-c", "echo max > /sys/fs/cgroup/memory/memory.limit_in_bytes; echo max > /sys/fs/cgroup/memory.max"]);
    expect(cannot.stderr).toMatch(/Read-only file system/);
  });

  test.each([
    [["--memory-reservation", "32m"], "memory/memory.soft_limit_in_bytes", "33554432"],
    [["--cpu-shares", "512"], "cpu/cpu.shares", "512"],
    [["--pids-limit", "-1"], "pids/pids.max", "max"],
    [["-m", "64m", "--memory-swap", "96m"], "memory/memory.memsw.limit_in_bytes", String(96 << 20)],
    [["-m", "64m", "--memory-swap", "-1"], "memory/memory.memsw.limit_in_bytes", "9223372036854771712"],
    [["-m", "64m"], "memory/memory.memsw.limit_in_bytes", String(128 << 20)],
  ])("%j on cgroup v1", async (flags, file, value) => {
    if (!existsSync(join("/sys/fs/cgroup", file.split("/")[0] ?? "", "cgroup.procs"))) {
      console.log(`(no cgroup v1 hierarchy for ${file}: nothing to look at)`);
      return;
    }
    expect((await limited(flags, ["cat", `/sys/fs/cgroup/${file}`])).stdout.trim()).toBe(value);
  });
});
