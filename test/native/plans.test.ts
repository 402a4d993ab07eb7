/**
 * The interpreter of keel, by plans of a few calls: each instruction, each way of failing, both builds. Needs no root but for
 * what clone and fork need none of either; needs gcc with its sanitizers.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import * as C from "../../src/linux/constants.ts";
import { Errno as Known } from "../../src/linux/errno.ts";
import { Block, Plan, stringArray } from "../../src/plan/index.ts";
import type { PatchFormat } from "../../src/plan/model.ts";
import { Part, Session } from "../../src/plan/session.ts";
import { createTempDir } from "../support/index.ts";
import { Bench, buildReal, buildSanitized, cloneInto, shell } from "./support.ts";

const builds = [["as it ships", await buildReal()], ["with the sanitizers", await buildSanitized()]] as const;

/** With those that the engine has no need to name. */
const Errno = { ...Known, EBADF: 9, ERANGE: 34 };

/** A plan that ends by itself, and nothing else yet. */
const tracing = (): Plan => new Plan({ trace: true });

describe.each(builds)("keel %s", (_, keel) => {
  let bench: Bench;
  beforeEach(() => { bench = new Bench(keel); });
  afterEach(() => { bench[Symbol.dispose](); });

  describe("a plan without a child", () => {
    test("runs every call in order, times them, and ends with the code it says", async () => {
      const plan = tracing();
      const pid = plan.outer.call("getpid", []);
      const hello = plan.outer.call("write", [1, "hello", 5]);
      plan.outer.exit(7);
      const { code, stdout, report } = await bench.run(plan);
      expect([code, stdout, report.state, report.failure]).toEqual([7, "hello", "started", undefined]);
      expect(report.result(pid.index).value).toBeGreaterThan(1);
      expect(report.result(hello.index).value).toBe(5);
      const times = [0, 1].map((i) => report.result(i));
      expect(report.startNs).toBeLessThanOrEqual(times[0]?.startNs ?? 0);
      expect(times[0]?.endNs).toBeLessThanOrEqual(times[1]?.startNs ?? 0);
      expect(times[1]?.endNs).toBeGreaterThan(times[1]?.startNs ?? 0);
    });

    test("is not timed unless it asks", async () => {
      const plan = new Plan();
      plan.outer.call("getpid", []);
      plan.outer.exit(0);
      expect((await bench.run(plan)).report.result(0)).toMatchObject({ startNs: 0, endNs: 0 });
    });

    test.each([0, 1, 2, 3, 4])("stops at a failing call %i, which is named, and does nothing after it", async (bad) => {
      const plan = tracing();
      for (let i = 0; i < 5; i++) plan.outer.call(i === bad ? "close" : "write", i === bad ? [-1] : [1, String(i), 1]);
      plan.outer.exit(0);
      const { code, stdout, report } = await bench.run(plan);
      expect([code, report.state, report.failure]).toEqual([125, "failed", { index: bad, errno: Errno.EBADF }]);
      expect(stdout).toBe("01234".slice(0, bad));
      for (let i = bad + 1; i < 5; i++) expect(report.result(i).startNs).toBe(0);
    });

    test("passes six arguments, of every kind", async () => {
      const plan = new Plan();
      const out = plan.out(16);
      const ends = new Block(8, "int[2]");
      plan.outer.call("pipe2", [ends, C.O_CLOEXEC]);
      plan.outer.call("write", [{ load32: ends, offset: 4 }, new TextEncoder().encode("from a pipe"), 11]);
      const size = plan.outer.call("read", [{ load32: ends, offset: 0 }, { out: out.out }, 16], { register: 3 });
      plan.outer.call("write", [1, "abcdefghijkl", { register: 3 }], { expect: 11 });
      plan.outer.call("write", [1, "ABCDEFGHIJKL", size], { expect: 11 });
      const many = plan.outer.call("recvfrom", [{ load32: ends, offset: 0 }, null, 0n, 1, null, null], { tolerate: "any" });
      plan.outer.exit(0);
      const { stdout, report } = await bench.run(plan);
      expect(stdout).toBe("abcdefghijkABCDEFGHIJK");
      expect(report.out.subarray(0, 11).toString()).toBe("from a pipe");
      expect(report.result(many.index).value).toBe(-88) // ENOTSOCK;
    });

    test("keeps only the descriptors that the plan says", async () => {
      const plan = new Plan();
      plan.keepBelow = 2;
      const two = plan.outer.call("fcntl", [2, 1, 0], { tolerate: "any" });
      const one = plan.outer.call("fcntl", [1, 1, 0], { tolerate: "any" });
      plan.outer.exit(0);
      const { report } = await bench.run(plan);
      expect([report.result(two.index).value, report.result(one.index).value]).toEqual([-Errno.EBADF, 0]);
    });

    test("fails where a result is not what it must be, and where a tolerated errno is another one", async () => {
      const short = new Plan();
      short.outer.call("write", [1, "x", 1], { expect: 2 });
      expect((await bench.run(short)).report.failure).toEqual({ index: 0, errno: Errno.EPROTO });
      const other = new Plan();
      other.outer.call("close", [-1], { tolerate: ["ENOENT", "EPERM", "EINVAL", "EIO"] });
      expect((await bench.run(other)).report.failure).toEqual({ index: 0, errno: Errno.EBADF });
      const fourth = new Plan();
      fourth.outer.call("fchdir", [1], { tolerate: ["ENOENT", "EPERM", "EINVAL", "ENOTDIR"], expect: 0 });
      fourth.outer.exit(0);
      expect((await bench.run(fourth)).report.failure).toBeUndefined();
    });

    test("opens beneath a root while files are renamed elsewhere: the kernel's EAGAIN at a '..' is nobody's failure", async () => {
      using temp = createTempDir("renames-");
      const renamer = Bun.spawn([process.execPath, "-e", `
        const { renameSync, writeFileSync } = require("node:fs");
        const [one, other] = ["${temp.path}/one", "${temp.path}/other"];
        writeFileSync(one, "");
        for (let i = 0; ; i++) { renameSync(one, other); renameSync(other, one); if (i === 0) console.log("ready"); }`], { stdout: "pipe", stdin: "ignore", stderr: "inherit" });
      try {
        await renamer.stdout.getReader().read();
        const plan = new Plan();
        const how = new Block(24, "struct open_how").u64(0, C.O_PATH | C.O_CLOEXEC).u64(16, C.RESOLVE_IN_ROOT);
        for (let i = 0; i < 1000; i++) plan.outer.call("close", [plan.outer.call("openat2", [C.AT_FDCWD, "../".repeat(100), how, 24])]);
        plan.outer.exit(0);
        expect((await bench.run(plan)).report.failure).toBeUndefined();
      } finally {
        renamer.kill("SIGKILL");
        await renamer.exited;
      }
    });
  });

  test.each<[PatchFormat, number, string]>([
    ["u32", 0x12345678, "78563412ffffffffffffffff"], ["u64", 0x1122334455, "5544332211000000ffffffff"],
    ["decimal", 0, "3000ffffffffffffffffffff"], ["decimal", 4294967295, "3432393439363732393500ff"],
    ["padded", 42, "34322020202020202020ffff"], ["padded", 4294967295, "3432393439363732393520ff"], // ten digits are all the room there is,
  ])("patches %s %i", async (format, value, bytes) => {
    const plan = new Plan();
    const block = new Block(new Uint8Array(12).fill(0xff));
    plan.outer.patch(block, 0, value, format);
    plan.outer.call("write", [1, block, 12]);
    plan.outer.exit(0);
    expect(Buffer.from((await bench.run(plan)).stdout, "latin1").toString("hex")).toBe(bytes);
  });

  test("finds whole lines, and says ERANGE where there is none", async () => {
    const cases: [text: string, word: string, at: number][] = [
      ["c 1:3 rwm\nc 1:5 rwm\n", "c 1:5 rwm", 10], ["max\n", "max", 0], ["max", "max", 0], ["maximum\n", "max", -34], ["x max\n", "max", -34],
      ["", "", 0], ["", "a", -34], ["a\n\nb", "", 2], ["12345", "123456", -34],
    ];
    const plan = new Plan();
    const calls = cases.map(([text, word]) => plan.outer.find(new Block(new TextEncoder().encode(`${text}#`)), text.length, word, { tolerate: "any" }));
    plan.outer.exit(0);
    const { report } = await bench.run(plan);
    expect(calls.map((call) => report.result(call.index).value)).toEqual(cases.map(([, , at]) => at));
  });

  test("find, like any other, stops the plan where nobody tolerates it", async () => {
    const plan = new Plan();
    plan.outer.find(new Block(new TextEncoder().encode("99\n")), 3, "100", { what: "read it back" });
    expect((await bench.run(plan)).report.failure).toEqual({ index: 0, errno: Errno.ERANGE });
  });

  describe("spawn", () => {
    const spawnBlock = (script: string, input: string, timeoutNs: bigint): Block =>
      new Block(48, "struct spawn").pointer(0, "/bin/busybox").pointer(8, stringArray(["sh", "-c", script], "argv")).pointer(16, stringArray(["A=1"], "envp"))
        .pointer(24, new Block(new TextEncoder().encode(input))).u64(32, input.length).u64(40, timeoutNs);

    test("gives a program its input and its environment, and waits for it", async () => {
      const plan = new Plan();
      const call = plan.outer.spawn(spawnBlock(`read line; echo "$line $A" >${bench.path("said")}; exit 3`, "state of it\n", 0n));
      plan.outer.exit(0);
      const { report } = await bench.run(plan);
      expect(report.result(call.index).value).toBe(3 << 8);
      expect(readFileSync(bench.path("said"), "utf8")).toBe("state of it 1\n");
    });

    test("kills one that takes too long, with its children, and says so", async () => {
      const plan = new Plan();
      plan.outer.spawn(spawnBlock(`(sleep 2; touch ${bench.path("late")}) & sleep 20`, "", 100_000_000n));
      const began = performance.now();
      expect((await bench.run(plan)).report.failure).toEqual({ index: 0, errno: Errno.ETIMEDOUT });
      expect(performance.now() - began).toBeLessThan(1500);
      await new Promise((resolve) => setTimeout(resolve, 2200));
      expect(existsSync(bench.path("late"))).toBe(false);
    });

    test("says 127 for a program that is not there, and a killed one's signal; input that nobody reads is no failure", async () => {
      const plan = new Plan();
      const missing = plan.outer.spawn(new Block(48).pointer(0, "/nowhere/at-all").pointer(8, stringArray(["x"], "argv")).pointer(16, stringArray([], "envp")).pointer(24, new Block(8)));
      const killed = plan.outer.spawn(spawnBlock("kill -9 $$", "x".repeat(100), 0n));
      plan.outer.exit(0);
      const { report } = await bench.run(plan);
      expect([report.result(missing.index).value, report.result(killed.index).value]).toEqual([127 << 8, 9]);
    });
  });

  describe("a plan with a child", () => {
    test("ends as the child does, and writes down how", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.wait();
      shell(plan.inner, "cat; exit 5");
      const { code, stdout, report } = await bench.run(plan, "through and through");
      expect([code, stdout]).toEqual([5, "through and through"]);
      expect(report).toMatchObject({ state: "exited", status: 5, signal: 0 });
      expect(report.childPid).toBeGreaterThan(0);
      expect(Math.abs(Number(report.exitNs / 1_000_000n) - Date.now())).toBeLessThan(5000);
    });

    test("says 128 + n for a death by signal", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.wait();
      shell(plan.inner, "kill -TERM $$");
      const { code, report } = await bench.run(plan);
      expect([code, report.status, report.signal]).toEqual([143, 143, 15]);
    });

    test("passes signals on to it", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.wait();
      shell(plan.inner, "trap 'echo got; exit 9' USR1; echo up; while :; do sleep 0.05; done");
      const run = bench.start(plan);
      while (!run.output.stdout.includes("up")) await new Promise((resolve) => setTimeout(resolve, 5));
      run.child.kill("SIGUSR1");
      expect(await run.exited).toBe(9);
      expect(run.output.stdout).toBe("up\ngot\n");
    });

    test.each([0, 1, 2, 3])("a failing call %i inside is named, and both sides end", async (bad) => {
      const plan = tracing();
      cloneInto(plan.outer);
      const ends = new Block(8, "int[2]");
      plan.outer.call("pipe2", [ends, C.O_CLOEXEC]);
      plan.outer.wait();
      for (let i = 0; i < 4; i++) plan.inner.call(i === bad ? "close" : "getpid", i === bad ? [-1] : []);
      shell(plan.inner, "echo never");
      const { code, stdout, report } = await bench.run(plan);
      expect([code, stdout, report.failure]).toEqual([125, "", { index: 3 + bad, errno: Errno.EBADF }]);
    });

    test("a program that cannot be executed is the failing call", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.wait();
      plan.inner.call("execve", ["/nowhere/at-all", stringArray(["x"], "argv"), stringArray([], "envp")]);
      expect((await bench.run(plan)).report.failure).toEqual({ index: 2, errno: Errno.ENOENT });
    });

    test("an inner program that just ends is a failure, not a container", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.wait();
      const last = plan.inner.call("getpid", []);
      expect((await bench.run(plan)).report.failure).toEqual({ index: 2 + last.index, errno: Errno.ENOEXEC });
    });

    test("a failure outside takes the child along", async () => {
      const plan = new Plan();
      cloneInto(plan.outer);
      plan.outer.call("close", [-1]);
      shell(plan.inner, `sleep 1; touch ${bench.path("survived")}`);
      expect((await bench.run(plan)).report.failure).toEqual({ index: 1, errno: Errno.EBADF });
      await new Promise((resolve) => setTimeout(resolve, 1200));
      expect(existsSync(bench.path("survived"))).toBe(false);
    });

    test("await goes on when the other side has let go of a pipe, and fails where it failed", async () => {
      const make = (script: string | undefined): Plan => {
        const plan = new Plan();
        const ends = new Block(8, "int[2]");
        plan.outer.call("pipe2", [ends, C.O_CLOEXEC]);
        cloneInto(plan.outer);
        plan.outer.call("close", [{ load32: ends, offset: 4 }]);
        plan.outer.await({ load32: ends, offset: 0 });
        plan.outer.call("write", [1, "runs;", 5]);
        plan.outer.wait();
        if (script === undefined) plan.inner.call("close", [-1]);
        else shell(plan.inner, script);
        return plan;
      };
      const good = await bench.run(make("sleep 0.1; echo program"));
      expect([good.code, good.stdout]).toEqual([0, "runs;program\n"]);
      const bad = await bench.run(make(undefined));
      expect([bad.code, bad.stdout, bad.report.failure]).toEqual([125, "", { index: 6, errno: Errno.EBADF }]);
    });

    test("init reaps orphans, passes signals on, and ends as its program", async () => {
      const plan = new Plan();
      cloneInto(plan.outer, C.CLONE_NEWPID);
      plan.outer.wait();
      plan.inner.init();
      // The orphan's death is seen: nothing but a reaper takes a zombie away.
      shell(plan.inner, "trap 'exit 6' TERM; (sleep 0.05 & echo $! >/dev/null); sleep 0.3; echo $$; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | grep -c 'no such'; while :; do sleep 0.05; done");
      const run = bench.start(plan);
      while (!/\d+\n0\n/.test(run.output.stdout)) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(run.output.stdout).toBe("2\n0\n"); // init is 1
      run.child.kill("SIGTERM");
      expect(await run.exited).toBe(6);
    });
  });

  describe("a plan in parts", () => {
    test("keeps registers and descriptors, and sends back what calls wrote", async () => {
      using session = await Session.open({ keel, directory: bench.directory });
      const first = new Part();
      const opened = first.collect(first.line.call("openat", [C.AT_FDCWD, "/etc/hostname", C.O_RDONLY, 0], { register: 0 }));
      const missing = first.collect(first.line.call("openat", [C.AT_FDCWD, "/nowhere", C.O_RDONLY, 0], { tolerate: ["ENOENT"] }));
      const one = session.run(first);
      expect(one.result(opened)).toBeGreaterThan(2);
      expect(one.result(missing)).toBe(-Errno.ENOENT);
      for (let i = 0; i < 3; i++) {
        const next = new Part();
        const out = next.plan.out(256);
        const size = next.collect(next.line.call("pread64", [{ register: 0 }, { out: out.out }, 256, 0]));
        const reply = session.run(next);
        expect(reply.out.subarray(out.out, out.out + reply.result(size)).toString()).toBe(readFileSync("/etc/hostname", "utf8"));
      }
      session[Symbol.dispose]();
      expect(await session.ended).toBe(0);
    });

    test("ends with the failing call of the part that failed", async () => {
      using session = await Session.open({ keel, directory: bench.directory });
      const part = new Part();
      part.line.call("getpid", []);
      part.line.call("close", [-1], { what: "close nothing" });
      expect(() => session.run(part)).toThrow("Cannot close nothing: close: bad file descriptor (EBADF)");
      expect(await session.ended).toBe(125);
    });
  });

  test("refuses what is no plan, and says so without doing anything", async () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(64), new TextEncoder().encode("KEELPLN1".padEnd(200, "x"))]) {
      const { code } = await runBytes(bench, bytes);
      expect(code).toBe(125);
    }
  });
});

async function runBytes(bench: Bench, bytes: Uint8Array): Promise<{ code: number }> {
  const run = bench.start(bytes);
  return { code: await run.exited };
}
