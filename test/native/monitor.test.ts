/**
 * keel as the monitor of a process: what it pumps, writes down and passes on, both builds. The process is a shell script and no
 * container; its plan is made of the same steps (src/runtime/monitor-steps.ts).
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { compileAttach } from "../../src/runtime/attach.ts";
import type { AttachedStreams } from "../../src/runtime/index.ts";
import { openPty } from "../support/pty.ts";
import { encodePlan } from "../../src/plan/index.ts";
import { hostArch } from "../../src/linux/arch.ts";
import { Bench, buildReal, buildSanitized, isThere, monitored, until } from "./support.ts";

const builds = [["as it ships", await buildReal()], ["with the sanitizers", await buildSanitized()]] as const;
const RECORD = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([FP]) (.*)$/;

/** A log's records without their times. */
function records(path: string): { stream: string; whole: boolean; text: string }[] {
  return readFileSync(path, "latin1").split("\n").slice(0, -1).map((line) => {
    const match = RECORD.exec(line);
    if (!match) throw new Error(`no record: ${line}`);
    expect(Math.abs(Date.parse(match[1] ?? "") - Date.now())).toBeLessThan(60_000);
    return { stream: match[2] ?? "", whole: match[3] === "F", text: match[4] ?? "" };
  });
}

/** What was written, put together again from records. */
const joined = (path: string, stream: string): string => records(path).filter((record) => record.stream === stream).map(({ text, whole }) => text + (whole ? "\n" : "")).join("");

describe.each(builds)("the monitor of keel %s", (build, keel) => {
  let bench: Bench;
  beforeEach(() => { bench = new Bench(keel); });
  afterEach(() => { bench[Symbol.dispose](); });
  const log = (maxBytes = 0, maxFiles = 3): { log: { path: string; maxBytes: number; maxFiles: number } } => ({ log: { path: bench.path("log"), maxBytes, maxFiles } });

  test("passes output through, stream by stream, and the exit code", async () => {
    const { code, stdout, stderr, report } = await bench.run(monitored({ script: "echo out; echo err >&2; exit 3" }));
    expect([code, stdout, stderr]).toEqual([3, "out\n", "err\n"]);
    expect(report).toMatchObject({ state: "exited", status: 3, signal: 0 });
    expect(report.monitorPid).not.toBe(0);
  });

  test("loses none of a megabyte that is taken slowly, and none that comes just before the end", async () => {
    const plan = monitored({ script: "i=0; while [ $i -lt 16384 ]; do echo 0123456789012345678901234567890123456789012345678901234567890; i=$((i+1)); done; printf end", ...log() });
    const run = bench.start(plan);
    run.child.stdout?.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    run.child.stdout?.resume();
    expect(await run.exited).toBe(0);
    expect(run.output.stdout.length).toBe(16384 * 62 + 3);
    expect(run.output.stdout).toEndWith("end");
    expect(joined(bench.path("log"), "stdout")).toBe(run.output.stdout);
  }, 30_000);

  test("a reader that has gone costs nothing but its output", async () => {
    const plan = monitored({ script: "i=0; while [ $i -lt 5000 ]; do echo 012345678901234567890123456789; i=$((i+1)); done; echo done; exit 4", ...log() });
    const run = bench.start(plan);
    run.child.stdout?.destroy();
    expect(await run.exited).toBe(4);
    expect(joined(bench.path("log"), "stdout")).toEndWith("done\n");
  });

  describe("input", () => {
    test("goes in, and ends where the person's does", async () => {
      const options = { attach: { stdin: true, stdout: true, stderr: true, leaves: false }, openStdin: true, stdinOnce: true };
      const { code, stdout } = await bench.run(monitored({ script: "cat; echo after", ...options }), "typed\n".repeat(5000));
      expect([code, stdout]).toEqual([0, `${"typed\n".repeat(5000)}after\n`]);
    });

    test("nobody's is /dev/null", async () => {
      expect(await bench.run(monitored({ script: "cat; echo after" }), "typed")).toMatchObject({ code: 0, stdout: "after\n" });
    });

    test("of a program that does not read is no failure", async () => {
      const options = { attach: { stdin: true, stdout: true, stderr: true, leaves: false }, openStdin: true, stdinOnce: true };
      expect(await bench.run(monitored({ script: "exec 0<&-; sleep 0.1; exit 5", ...options }), "x".repeat(200_000))).toMatchObject({ code: 5 });
    });
  });

  describe("the log", () => {
    test("has a record per line, with its stream, and pieces where there is no line break", async () => {
      await bench.run(monitored({ script: "echo one; sleep 0.05; printf two; sleep 0.05; printf ' more\\n\\nlast'; sleep 0.05; echo no >&2", ...log() }));
      expect(records(bench.path("log"))).toEqual([
        { stream: "stdout", whole: true, text: "one" }, { stream: "stdout", whole: false, text: "two" }, { stream: "stdout", whole: true, text: " more" },
        { stream: "stdout", whole: true, text: "" }, { stream: "stdout", whole: false, text: "last" }, { stream: "stderr", whole: true, text: "no" },
      ]);
      expect(statSync(bench.path("log")).mode & 0o777).toBe(0o600);
    });

    test("keeps every byte there is", async () => {
      const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(4, "0")}`).join("");
      const { stdout } = await bench.run(monitored({ script: `printf '%b' '${octal}'`, ...log() }));
      const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
      expect(stdout).toBe(all);
      // A newline in a record ends it, so the bytes come back from the records of both kinds.
      const text = readFileSync(bench.path("log"), "latin1");
      expect(text.split("\n").slice(0, -1).map((line) => line.slice(40)).join("\n")).toBe(all);
    });

    test("holds lines that are longer than any buffer, in pieces", async () => {
      await bench.run(monitored({ script: "dd if=/dev/zero bs=100000 count=2 2>/dev/null | tr '\\0' z; echo", ...log() }));
      expect(joined(bench.path("log"), "stdout")).toBe(`${"z".repeat(200_000)}\n`);
    });

    test("rotates when it is full, keeps as many files as it may, and loses no record in between", async () => {
      const script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done";
      await bench.run(monitored({ script, ...log(20_000, 3) }));
      expect(readdirSync(bench.directory).filter((name) => name.startsWith("log")).sort()).toEqual(["log", "log.1", "log.2"]);
      // A line may come in two pieces, and a file may begin with the second.
      const kept = ["log.2", "log.1", "log"].map((name) => joined(bench.path(name), "stdout")).join("").split("\n").slice(1, -1);
      const first = 2000 - kept.length;
      expect(kept.length).toBeGreaterThan(500);
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => `line ${first + i}`));
      for (const name of ["log.2", "log.1"]) expect(statSync(bench.path(name)).size).toBeWithin(20_000, 20_000 + 50_000);
    });

    test("of one file starts anew", async () => {
      await bench.run(monitored({ script: "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done", ...log(20_000, 1) }));
      expect(readdirSync(bench.directory).filter((name) => name.startsWith("log"))).toEqual(existsSync(bench.path("log")) ? ["log"] : []);
    });
  });

  describe("the end", () => {
    test.each([["exit 0", "000 000"], ["exit 42", "042 000"], ["kill -KILL $$", "137 009"]])("of %p is written down", async (script, words) => {
      await bench.run(monitored({ script, status: { path: bench.path("status"), durable: true } }));
      const [, code, time] = /^(\d{3} \d{3}) (\S+)\n$/.exec(readFileSync(bench.path("status"), "utf8")) ?? [];
      expect(code).toBe(words);
      expect(Math.abs(Date.parse(time ?? "") - Date.now())).toBeLessThan(5000);
      expect(existsSync(`${bench.path("status")}.tmp`)).toBe(false);
      expect(statSync(bench.path("status")).mode & 0o777).toBe(0o600);
    });

    test("does not wait for ever for output that another process still holds", async () => {
      const began = performance.now();
      const { code, stdout } = await bench.run(monitored({ script: "(sleep 3; echo late) & echo early; exit 1" }));
      expect([code, stdout]).toEqual([1, "early\n"]);
      expect(performance.now() - began).toBeLessThan(2500);
    });

    test("of a background one calls the finisher, once; of one that is waited for, nobody", async () => {
      const finalize = ["/bin/busybox", "sh", "-c", `echo "$MARK" >>${bench.path("finished")}`];
      const options = { finalize, environment: ["MARK=seen"], status: { path: bench.path("status"), durable: false } };
      expect((await bench.run(monitored({ script: "sleep 0.1", detached: true, ...options }))).code).toBe(0);
      await until("the finisher ran", () => isThere(bench.path("finished")) && readFileSync(bench.path("finished"), "utf8") !== "");
      expect(existsSync(bench.path("status"))).toBe(true);
      await bench.run(monitored({ script: "exit 0", ...options }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(readFileSync(bench.path("finished"), "utf8")).toBe("seen\n");
    });
  });

  test("in the background keeps nothing of the caller's, and comes back when the program runs", async () => {
    const run = bench.start(monitored({ script: `while [ ! -e ${bench.path("go")} ]; do sleep 0.02; done; echo ran`, detached: true, ...log(), status: { path: bench.path("status"), durable: false } }));
    // `exited` resolves only when the streams are closed by all who hold them.
    expect(await run.exited).toBe(0);
    expect(run.report()).toMatchObject({ state: "started" });
    expect(existsSync(bench.path("status"))).toBe(false);
    writeFileSync(bench.path("go"), "");
    await until("it has ended", () => isThere(bench.path("status")));
    expect(records(bench.path("log"))).toEqual([{ stream: "stdout", whole: true, text: "ran" }]);
  });

  test("passes the front's signals on to the program", async () => {
    const run = bench.start(monitored({ script: "trap 'echo hup' HUP; trap 'echo term; exit 8' TERM; echo up; while :; do sleep 0.02; done" }));
    await until("it is up", () => run.output.stdout.includes("up"));
    run.child.kill("SIGHUP");
    await until("it got SIGHUP", () => run.output.stdout.includes("hup"));
    run.child.kill("SIGTERM");
    expect(await run.exited).toBe(8);
    expect(run.output.stdout).toBe("up\nhup\nterm\n");
  });

  test("a failing start is the front's failure, and nothing runs", async () => {
    const plan = monitored({ script: "exit 0" });
    const bad = plan.inner.calls.findIndex(({ name }) => name === "execve");
    const call = plan.inner.calls[bad];
    if (call) plan.inner.calls[bad] = { ...call, args: ["/nowhere/at-all", ...call.args.slice(1)] };
    const { code, report } = await bench.run(plan);
    expect([code, report.failure]).toEqual([125, { index: plan.outer.calls.length + bad, errno: 2 }]);
  });

  test("the program dies with its monitor", async () => {
    const run = bench.start(monitored({ script: "echo $$; exec sleep 60" }));
    await until("it runs", () => run.output.stdout.includes("\n"));
    const pid = Number(run.output.stdout);
    process.kill(run.report().monitorPid, "SIGKILL");
    await run.exited;
    await until("it is gone", () => !isThere(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "));
  });

  describe("a terminal", () => {
    /** keel on a pty of its own, with the plan and report as descriptors 3 and 4. */
    const onTerminal = async (plan: Parameters<typeof encodePlan>[0], name: string): Promise<Awaited<ReturnType<typeof openPty>>> => {
      writeFileSync(bench.path(name), encodePlan(plan, hostArch()));
      writeFileSync(bench.path(`${name}.report`), "");
      const options = `log_path=${bench.path("sanitizer")}:exitcode=99:detect_leaks=0`;
      return openPty(["sh", "-c", `exec "$0" 3<"$1" 4<>"$2"`, keel, bench.path(name), bench.path(`${name}.report`)], { env: { ASAN_OPTIONS: options, UBSAN_OPTIONS: options }, rows: 33, cols: 101 });
    };
    const terminal = { terminal: true, attach: { stdin: true, stdout: true, stderr: true, leaves: false }, openStdin: true, stdinOnce: true };

    test("has the size of the person's, follows it, and passes keys as they are", async () => {
      await using pty = await onTerminal(monitored({ script: "stty size; trap 'stty size' WINCH; echo ready; while :; do read line && echo \"got $line\"; [ \"$line\" = end ] && exit 6; done", ...terminal }), "plan");
      await pty.expect("33 101");
      await pty.expect("ready");
      pty.send("hello\r");
      await pty.expect("got hello");
      pty.resize(40, 90);
      await new Promise((resolve) => setTimeout(resolve, 100));
      pty.send("again\r"); // a shell may see the signal only when its read comes back
      await pty.expect("40 90");
      pty.send("end\r");
      expect((await pty.exited).exitCode).toBe(6);
      expect(await pty.modes()).toEqual({ raw: false, echo: true });
    });

    test("lets the person leave with the keys, and the program live on", async () => {
      const plan = monitored({ script: `echo here; read x; echo "$x" >${bench.path("read")}`, ...terminal, detachKeys: new Uint8Array([16, 17]), socket: bench.path("attach"), ...log(), status: { path: bench.path("status"), durable: false } });
      await using pty = await onTerminal(plan, "plan");
      await pty.expect("here");
      expect((await pty.modes()).raw).toBe(true);
      pty.send("a\u0010b"); // ctrl-p and another key are both the program's
      pty.send("\u0010\u0011");
      expect((await pty.exited).exitCode).toBe(0);
      expect(await pty.modes()).toEqual({ raw: false, echo: true });
      expect(existsSync(bench.path("status"))).toBe(false);
      // Whoever comes back finds it where it was.
      await using again = await onTerminal(compileAttach({ name: "x", socket: bench.path("attach"), attach: { stdin: true, stdout: true, stderr: true, leaves: false }, sigProxy: true }), "attach-plan");
      again.send("c\r");
      expect((await again.exited).exitCode).toBe(0);
      expect(readFileSync(bench.path("read"), "latin1")).toBe("a\u0010bc\n");
    });

    test("that hangs up is no end of the program", async () => {
      const plan = monitored({ script: `trap '' HUP; echo here; sleep 0.5; touch ${bench.path("lived")}`, ...terminal, status: { path: bench.path("status"), durable: false } });
      await using pty = await onTerminal(plan, "plan");
      await pty.expect("here");
      pty.hangup();
      await until("it went on", () => isThere(bench.path("lived")));
      await until("it has ended", () => isThere(bench.path("status")));
    });
  });

  describe("those who attach", () => {
    const attachPlan = (streams: AttachedStreams): ReturnType<typeof compileAttach> => compileAttach({ name: "x", socket: bench.path("attach"), attach: streams, sigProxy: true });

    test("see what comes from then on, type to it, and hear how it ended", async () => {
      const run = bench.start(monitored({ script: "read line; echo \"heard $line\"; sleep 0.1; exit 9", detached: true, openStdin: true, socket: bench.path("attach"), ...log() }));
      expect(await run.exited).toBe(0);
      const one = bench.start(attachPlan({ stdin: true, stdout: true, stderr: true, leaves: false }));
      const two = bench.start(attachPlan({ stdin: false, stdout: true, stderr: false, leaves: false }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      one.type("me\n");
      expect([await one.exited, one.output.stdout]).toEqual([9, "heard me\n"]);
      expect([await two.exited, two.output.stdout]).toEqual([9, "heard me\n"]);
      expect(one.report()).toMatchObject({ status: 9 });
    });

    test("and do not read are dropped, and hold nobody up", async () => {
      const script = `while [ ! -e ${bench.path("go")} ]; do sleep 0.02; done; i=0; while [ $i -lt 100000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done`;
      const run = bench.start(monitored({ script, detached: true, socket: bench.path("attach"), status: { path: bench.path("status"), durable: false } }));
      await run.exited;
      const slow = bench.start(attachPlan({ stdin: false, stdout: true, stderr: true, leaves: false }));
      slow.child.stdout?.pause();
      await new Promise((resolve) => setTimeout(resolve, 100));
      writeFileSync(bench.path("go"), "");
      await until("it has ended", () => isThere(bench.path("status")), 20_000);
      slow.child.stdout?.resume();
      expect(await slow.exited).toBe(0); // detached: it was told that it is no longer attached
      expect(slow.report()).toMatchObject({ state: "detached", status: 1 }); // too slow
      expect(slow.output.stdout.length).toBeLessThan(100_000 * 41);
    }, 30_000);

    test("are at most eight, and the ninth is refused without harm", async () => {
      const run = bench.start(monitored({ script: `while [ ! -e ${bench.path("go")} ]; do sleep 0.02; done; echo bye`, detached: true, socket: bench.path("attach") }));
      await run.exited;
      const clients = [];
      for (let i = 0; i < 9; i++) {
        clients.push(bench.start(attachPlan({ stdin: false, stdout: true, stderr: false, leaves: false })));
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      expect(await clients[8]?.exited).toBe(125);
      writeFileSync(bench.path("go"), "");
      const codes = await Promise.all(clients.slice(0, 8).map(({ exited }) => exited));
      expect([codes, clients[0]?.output.stdout, clients[7]?.output.stdout]).toEqual([Array<number>(8).fill(0), "bye\n", "bye\n"]);
    });

    test("with something else than a mask and three descriptors are turned away", async () => {
      const run = bench.start(monitored({ script: `while [ ! -e ${bench.path("go")} ]; do sleep 0.02; done; echo alive`, detached: true, socket: bench.path("attach"), ...log() }));
      await run.exited;
      // No descriptor, a long message, and a hang-up: what a confused or hostile client of the same user could do.
      const script = `import socket,sys,array
for data, fds in ((b"", []), (b"x", []), (b"\\7\\0\\0\\0", []), (b"\\7\\0\\0\\0", [0]), (b"y"*70000, [0,1,2]), (b"\\7\\0\\0\\0", [0,1,2,0])):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(1)
    s.connect(sys.argv[1])
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        s.sendmsg([data], anc)
        s.recv(8)
    except (BrokenPipeError, ConnectionResetError, TimeoutError): pass
    s.close()`;
      // Its own streams go to the monitor, which keeps them: nothing that would have to be read to its end.
      expect(spawnSync("/usr/bin/python3", ["-I", "-c", script, bench.path("attach")], { stdio: "ignore", timeout: 25_000 }).status).toBe(0);
      writeFileSync(bench.path("go"), "");
      await until("it wrote", () => isThere(bench.path("log")) && readFileSync(bench.path("log"), "utf8").includes("alive"));
    }, 30_000);
  });

  if (build === "as it ships")
    test("takes at most 150 KB of memory (PSS) of a running one", async () => {
      const run = bench.start(monitored({ script: `echo up; while [ ! -e ${bench.path("go")} ]; do sleep 0.02; done`, detached: true, socket: bench.path("attach"), ...log(), status: { path: bench.path("status"), durable: false } }));
      await run.exited;
      await until("it wrote", () => isThere(bench.path("log")));
      const { monitorPid } = run.report();
      const rollup = readFileSync(`/proc/${monitorPid}/smaps_rollup`, "utf8");
      const pss = Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]);
      writeFileSync(bench.path("go"), "");
      await until("it has ended", () => isThere(bench.path("status")));
      expect(pss).toBeGreaterThan(4);
      expect(pss).toBeLessThanOrEqual(150);
    });
});
