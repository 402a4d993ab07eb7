/**
 * keel by itself: built with the sanitizers and as it ships, given plans of a test's own, and its report read back. What
 * the sanitizers find, in any of keel's processes, is a file in a directory of the test's and fails it.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKeel, keelFlags } from "../../scripts/build-keel.ts";
import type { Arch } from "../../src/linux/arch.ts";
import { hostArch } from "../../src/linux/arch.ts";
import * as C from "../../src/linux/constants.ts";
import type { Call, Line } from "../../src/plan/index.ts";
import { Block, Plan, encodePlan, stringArray } from "../../src/plan/index.ts";
import type { Report } from "../../src/plan/report.ts";
import { parseReport } from "../../src/plan/report.ts";
import type { MonitorPlan } from "../../src/runtime/index.ts";
import { handOver } from "../../src/runtime/monitor-steps.ts";
import { addPipe, addTerminal, addSocketPair, awaitByte, receiveDescriptor } from "../../src/runtime/stdio.ts";
import { cacheKey, cached } from "../support/rootfs.ts";

export const NATIVE = join(import.meta.dirname, "../../native/keel");

/** Every source file of keel, for keys of what is built from them. */
export function keelSources(): string[] {
  return readdirSync(NATIVE).filter((name) => /\.[ch]$/.test(name)).sort().map((name) => join(NATIVE, name));
}

const SANITIZED = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DKEEL_HOSTED"];

async function build(name: string, cc: string, flags: readonly string[]): Promise<string> {
  const directory = await cached(name, cacheKey(cc, ...flags, ...keelSources().map((path) => readFileSync(path))), async (into) => {
    buildKeel(join(into, "keel"), cc, flags);
    await Promise.resolve();
  });
  return join(directory, "keel");
}

/** As it ships, from the sources as they are now. */
export const buildReal = (): Promise<string> => build("keel", process.env["CC"] ?? "gcc", keelFlags);

/** The same sources against a C library, with AddressSanitizer and UndefinedBehaviorSanitizer. */
export const buildSanitized = (): Promise<string> => build("keel-sanitized", "gcc", SANITIZED);

/** For arm64; needs gcc-aarch64-linux-gnu. */
export const buildArm64 = (): Promise<string> => build("keel-arm64", "aarch64-linux-gnu-gcc", keelFlags);

export interface KeelRun {
  readonly child: ChildProcess;
  /** Bytes that keel's own streams have given so far. */
  readonly output: { stdout: string; stderr: string };
  report(): Report;
  readonly exited: Promise<number>;
  type(text: string | Uint8Array): void;
  endInput(): void;
}

export interface BenchOptions {
  /** argv in front of keel's: an emulator. */
  readonly wrap?: readonly string[];
  readonly arch?: Arch;
}

/** Where the plans of one test run, with whatever the sanitizers say of them. */
export class Bench implements Disposable {
  readonly directory: string;
  readonly #keel: string;
  readonly #options: BenchOptions;
  readonly #children: ChildProcess[] = [];
  #count = 0;

  constructor(keel: string, options: BenchOptions = {}) {
    this.directory = mkdtempSync(join(tmpdir(), "keel-"));
    this.#keel = keel;
    this.#options = options;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts keel on a plan; its streams are sockets of ours. */
  start(plan: Plan | Uint8Array): KeelRun {
    const { wrap = [], arch = hostArch() } = this.#options;
    const name = this.path(`plan${this.#count++}`);
    writeFileSync(name, plan instanceof Plan ? encodePlan(plan, arch) : plan);
    writeFileSync(`${name}.report`, "");
    const [planFd, reportFd] = [openSync(name, "r"), openSync(`${name}.report`, "r+")];
    const [file = "", ...args] = [...wrap, this.#keel];
    const sanitizer = `log_path=${this.path("sanitizer")}:exitcode=99:detect_leaks=0:print_stacktrace=1`;
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe", planFd, reportFd], env: { ASAN_OPTIONS: sanitizer, UBSAN_OPTIONS: sanitizer } });
    closeSync(planFd);
    closeSync(reportFd);
    this.#children.push(child);
    const output = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("latin1").on("data", (text: string) => { output.stdout += text; });
    child.stderr?.setEncoding("latin1").on("data", (text: string) => { output.stderr += text; });
    child.stdin?.on("error", () => undefined); // it ended without reading: its code says so
    const exited = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => { resolve(code ?? (signal === null ? -1 : 128)); });
    });
    const count = plan instanceof Plan ? plan.outer.calls.length + plan.inner.calls.length : 0;
    return {
      child, output, exited,
      report: () => parseReport(readFileSync(`${name}.report`), count),
      type: (text) => void child.stdin?.write(text),
      endInput: () => void child.stdin?.end(),
    };
  }

  /** Runs a plan to its end, with this as input. */
  async run(plan: Plan | Uint8Array, input = ""): Promise<{ code: number; stdout: string; stderr: string; report: Report }> {
    const run = this.start(plan);
    run.type(input);
    run.endInput();
    const code = await run.exited;
    return { code, ...run.output, report: run.report() };
  }

  /** What the sanitizers found, in whichever process. */
  findings(): string[] {
    return readdirSync(this.directory).filter((name) => name.startsWith("sanitizer")).map((name) => readFileSync(this.path(name), "utf8"));
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    const findings = this.findings();
    rmSync(this.directory, { recursive: true, force: true });
    if (findings.length > 0) throw new Error(`the sanitizers found:\n${findings.join("\n")}`);
  }
}

/** A child that is cloned into nothing new; `flags` for more. */
export function cloneInto(line: Line, flags = 0): { child: Call; pidfd: { load32: Block; offset: number } } {
  const pidfd = new Block(8, "int");
  const args = new Block(88, "struct clone_args").pointer(8, pidfd).u64(0, C.CLONE_PIDFD | flags).u64(32, C.SIGCHLD);
  return { child: line.clone(args, 88, { what: "clone" }), pidfd: { load32: pidfd, offset: 0 } };
}

/** The inner side becomes a shell script, with signals as programs expect them. */
export function shell(line: Line, script: string): void {
  line.call("rt_sigprocmask", [C.SIG_SETMASK, new Block(8, "sigset_t"), null, 8]);
  line.call("execve", ["/bin/busybox", stringArray(["sh", "-c", script], "argv"), stringArray(["PATH=/usr/bin:/bin:/usr/sbin:/sbin"], "envp")], { what: "execute sh" });
}

export interface MonitoredOptions extends Partial<MonitorPlan> {
  readonly script: string;
  readonly terminal?: boolean;
}

/** A plan as the compiler makes it, less everything that a container is: a shell script under a monitor. */
export function monitored({ script, terminal = false, ...options }: MonitoredOptions): Plan {
  const plan = new Plan({ fork: true });
  const { outer, inner } = plan;
  const monitor: MonitorPlan = {
    detached: false, attach: { stdin: false, stdout: true, stderr: true, leaves: false }, openStdin: false, stdinOnce: false, detachKeys: new Uint8Array(0), finalize: [], environment: [], ...options,
  };
  const release = addPipe(outer, "release");
  const ready = addPipe(outer, "ready");
  const pair = terminal ? addSocketPair(outer, "terminal") : undefined;
  const wantsInput = monitor.attach.stdin || monitor.openStdin;
  const streams = terminal ? undefined : { stdin: wantsInput ? addPipe(outer, "stdin") : undefined, stdout: addPipe(outer, "stdout"), stderr: addPipe(outer, "stderr") };
  const { child, pidfd } = cloneInto(outer);
  inner.call("setsid", []);
  if (pair) {
    const devpts = inner.call("openat", [C.AT_FDCWD, "/dev/pts", C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0]);
    addTerminal(inner, { where: "here", devpts, uid: 0, size: { rows: 20, columns: 60 }, socket: pair.write, root: undefined });
  }
  if (streams) {
    const stdin = streams.stdin?.read ?? inner.call("openat", [C.AT_FDCWD, "/dev/null", C.O_RDONLY | C.O_CLOEXEC, 0]);
    [stdin, streams.stdout.write, streams.stderr.write].forEach((fd, i) => inner.call("dup3", [fd, i, 0]));
  }
  awaitByte(inner, release.read, "wait", "for the monitor");
  inner.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0]);
  shell(inner, script);
  for (const fd of [release.read, ready.write, pair?.write, streams?.stdin?.read, streams?.stdout.write, streams?.stderr.write]) if (fd !== undefined) outer.call("close", [fd]);
  const master = pair ? receiveDescriptor(outer, pair.read, "receive", "its master") : undefined;
  handOver({ outer, where: "here" }, monitor, {
    pid: child, pidfd, release: release.write, ready: ready.read, stdin: master ?? streams?.stdin?.write, stdout: master ?? streams?.stdout.read, stderr: streams?.stderr.read, terminal,
  });
  return plan;
}

/** Waits until something is true, looking often. */
export async function until(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const isThere = (path: string): boolean => existsSync(path);
