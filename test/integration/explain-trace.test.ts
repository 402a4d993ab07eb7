/**
 * `sampan explain run …` and `sampan trace run …`, as a person calls them: needs root, the build and strace.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SAMPAN, createSandbox, createTempDir, run } from "../support/index.ts";

const none = ["run", "--rm", "--network", "none"];

interface TraceJson {
  startToExecveUs: number;
  callsUs: number;
  waitingUs: number;
  stages: { side: string; stage: string; calls: { name: string; text: string; state: string; us: number; startUs: number; result: string; number: number }[] }[];
}

describe("explain", () => {
  test("prints the plan and makes nothing, not even with a state to look at", async () => {
    await using sandbox = createSandbox();
    const { stdout, exitCode, stderr } = await sandbox.sampan(["explain", ...none, "-m", "64m", "--read-only", "host", "true"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    for (const part of ["outside: cgroup", "inside: pivot", "pivot_root(2)", "openat2(2)", "clone3({flags=CLONE_PIDFD|CLONE_NEWNS", `"67108864"`, "MOUNT_ATTR_RDONLY", "--read-only"]) expect(stdout.replace(/\n +/g, "")).toContain(part);
    expect([existsSync(sandbox.root), readdirSync(sandbox.dir)]).toEqual([false, []]);
    await sandbox.ok([...none, "host", "true"]);
    const before = readdirSync(sandbox.root, { recursive: true });
    await sandbox.ok(["explain", ...none, "--name", "never", "host", "true"]);
    expect(readdirSync(sandbox.root, { recursive: true })).toEqual(before);
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  });

  test("needs no root", async () => {
    using temp = createTempDir("explain-");
    chmodSync(temp.path, 0o1777);
    const as = (args: string[]): ReturnType<typeof run> => run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SAMPAN, ...args], { env: { SAMPAN_ROOT: join(temp.path, "root"), SAMPAN_STATE: join(temp.path, "state"), TMPDIR: temp.path } });
    const { exitCode, stdout, stderr } = await as(["explain", ...none, "host", "true"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("pivot_root");
    expect((await as([...none, "host", "true"])).exitCode).toBe(125);
    // Nor rights to the store that root has made meanwhile.
    mkdirSync(join(temp.path, "root/containers"), { recursive: true, mode: 0o700 });
    expect(await as(["explain", ...none, "host", "true"])).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("says what is wrong, with Docker's exit code, and shows the same as JSON", async () => {
    await using sandbox = createSandbox();
    expect(await sandbox.sampan(["explain", ...none, "no-such-image", "true"])).toMatchObject({ exitCode: 125, stdout: "" });
    expect(await sandbox.sampan(["explain", "run", "--memory", "lots", "host"])).toMatchObject({ exitCode: 125, stdout: "" });
    const value = JSON.parse(await sandbox.ok(["explain", "--json", ...none, "host", "true"])) as { stages: { side: string; stage: string; calls: { text: string; manual: string; why: string }[] }[] };
    expect(value.stages.flatMap(({ calls }) => calls).length).toBeGreaterThan(200);
    for (const { calls } of value.stages) for (const { manual, why, text } of calls) expect([text, /^(keel|\w+\(\d\))$/.test(manual), why === "" && !text.startsWith("skip(")]).toEqual([text, true, false]);
  });
});

describe("trace", () => {
  test("runs the container, and times what it was made of", async () => {
    await using sandbox = createSandbox();
    const { stdout, exitCode } = await sandbox.sampan(["trace", "--json", ...none, "host", "sh", "-c", "exit 7"]);
    expect(exitCode).toBe(7);
    const trace = JSON.parse(stdout) as TraceJson;
    const calls = trace.stages.flatMap((stage) => stage.calls);
    const ran = calls.filter(({ state }) => state === "ran");
    expect(ran.length).toBeGreaterThan(150);
    expect(Math.abs(ran.reduce((sum, { us }) => sum + us, 0) - trace.callsUs - trace.waitingUs)).toBeLessThan(1);
    for (const { us, startUs } of ran) expect([us >= 0, startUs >= 0]).toEqual([true, true]);
    const program = calls.filter(({ name, state }) => name === "execve" && state === "entered");
    expect(program).toHaveLength(1);
    expect(program[0]?.startUs).toBeCloseTo(trace.startToExecveUs, 2);
    expect(trace.startToExecveUs).toBeWithin(500, 1_000_000);
    // Directories of PATH that come before it were tried and did not have it.
    for (const { result, state, name, number } of calls) if (name === "execve" && state === "ran") expect([result, number < (program[0]?.number ?? 0)]).toEqual(["ENOENT", true]);
    expect(calls.find(({ name }) => name === "clone3")?.us).toBeGreaterThan(10);
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  });

  test("prints bars, keeps the program's output apart, and writes a page", async () => {
    await using sandbox = createSandbox();
    const { stdout, stderr, exitCode } = await sandbox.sampan(["trace", ...none, "host", "sh", "-c", "echo said; echo err >&2"]);
    expect([exitCode, stderr]).toEqual([0, "err\n"]);
    expect(stdout.slice(0, 5)).toBe("said\n");
    // As facts and not as text: what would be shown of a failure is a plan of some hundred lines.
    expect(/ [µm]s {2}█+.* {2}\w+\(/.test(stdout)).toBe(true);
    expect(stdout.slice(-400).replaceAll("\n", " ")).toMatch(/[µm]s from the executor's start to the program's execve; \d+ calls took .* waiting for the other side; \d+ were not needed\. $/);
    for (const line of stdout.split("\n")) expect([...line].length).toBeLessThanOrEqual(120);
    const page = join(sandbox.dir, "trace.html");
    expect(await sandbox.ok(["trace", "--html", page, ...none, "host", "true"])).toBe("");
    const html = readFileSync(page, "utf8");
    expect(html).toContain("sampan trace: host true");
    expect(html).not.toMatch(/<script|src=|href=|url\(|https?:/);
    expect(html.match(/class="row /g)?.length).toBeGreaterThan(200);
  });

  test("of one in the background has all of its calls, too", async () => {
    await using sandbox = createSandbox();
    const trace = JSON.parse(await sandbox.ok(["trace", "--json", "run", "-d", "--name", "bg", "--network", "none", "host", "sleep", "60"])) as TraceJson;
    expect(trace.startToExecveUs).toBeGreaterThan(100);
    expect(await sandbox.ok(["ps", "-q"])).not.toBe("");
  });

  test("of a start that fails says which call, as run does, and leaves nothing", async () => {
    await using sandbox = createSandbox();
    const { exitCode, stderr } = await sandbox.sampan(["trace", ...none, "host", "no-such-program"]);
    expect(exitCode).toBe(127);
    expect(stderr).toContain("no-such-program");
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  });
});
