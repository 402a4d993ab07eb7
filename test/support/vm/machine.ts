/**
 * A virtual machine: Debian's kernel with cgroup v2 alone, in software emulation, so that it runs wherever tests run. It has no
 * network to anywhere. Tests say what is to be done in it as shell scripts, one after the other.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTempDir } from "../sandbox.ts";
import { buildDisk, buildEmptyDisk, buildInitramfs } from "./disk.ts";
import { debianKernel } from "./kernel.ts";

export interface VmResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Vm {
  /** Runs a script in there; its exit code is the test's to judge. */
  sh(script: string): Promise<VmResult>;
  /** As `sh`, but a script that fails is an error. Returns its stdout without the last line break. */
  ok(script: string): Promise<string>;
  /** Pulls the plug: what was not on the disk is lost. */
  powerOff(): Promise<void>;
}

export interface VmHost extends AsyncDisposable {
  /** Switches the machine on, after the first time with the disk as it was left. */
  boot(): Promise<Vm>;
}

/** An emulated machine is ten to thirty times slower than this one, and this one may be busy. */
const BOOT_TIMEOUT_MS = 300_000;
const SCRIPT_TIMEOUT_MS = 180_000;

/** A second disk, /dev/vdb, is empty: for limits of I/O, and for swap. */
export async function createVmHost(): Promise<VmHost> {
  const temp = createTempDir("vm-");
  const place = (name: string): string => join(temp.path, name);
  const kernel = await debianKernel();
  await buildInitramfs(kernel, place("initramfs"));
  await buildDisk(place("disk"));
  buildEmptyDisk(place("second-disk"), 256 << 20);
  const disk = (name: string): string[] => ["-drive", `file=${place(name)},format=raw,if=none,id=${name},cache=unsafe`, "-device", `virtio-blk-pci,drive=${name}`];
  const args = [
    "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
    "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2,maxcpus=4", "-m", "1024",
    "-kernel", kernel.image, "-initrd", place("initramfs"), "-append", "console=ttyS0 quiet panic=-1 cgroup_no_v1=all",
    ...disk("disk"), ...disk("second-disk"),
    "-serial", `file:${place("console")}`,
    "-device", "virtio-serial-pci", "-chardev", "stdio,id=agent,signal=off", "-device", "virtserialport,chardev=agent,name=agent",
  ];
  let running: ChildProcess | undefined;
  return {
    async boot() {
      running = spawn("qemu-system-x86_64", args, { stdio: ["pipe", "pipe", "pipe"] });
      return await connect(running, () => (existsSync(place("console")) ? readFileSync(place("console"), "utf8") : ""));
    },
    async [Symbol.asyncDispose]() {
      if (running !== undefined) await end(running);
      temp[Symbol.dispose]();
    },
  };
}

function end(machine: ChildProcess): Promise<void> {
  if (machine.exitCode !== null || machine.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    machine.once("close", () => { resolve(); });
    machine.kill("SIGKILL");
  });
}

/** Waits for the agent (test/guest/vm/agent.sh) and speaks with it. */
async function connect(machine: ChildProcess, consoleText: () => string): Promise<Vm> {
  const lines = readLines(machine);
  const failure = (what: string): Error => new Error(`${what}\nconsole: ${consoleText().slice(-4000)}`);
  const next = async (what: string, timeoutMs: number): Promise<string> => {
    const line = await lines(timeoutMs);
    if (typeof line === "string") return line;
    throw failure(line.ended === undefined ? `${what} took longer than ${timeoutMs / 1000} s.` : `${what}: the virtual machine ended: ${line.ended}`);
  };
  const greeting = await next("Booting", BOOT_TIMEOUT_MS);
  if (greeting !== "ready") throw failure(`The virtual machine said "${greeting}".`);

  const text = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");
  const sh = async (script: string): Promise<VmResult> => {
    machine.stdin?.write(`${Buffer.from(script).toString("base64")}\n`);
    const exitCode = Number(await next(script, SCRIPT_TIMEOUT_MS));
    const stdout = text(await next(script, SCRIPT_TIMEOUT_MS));
    return { exitCode, stdout, stderr: text(await next(script, SCRIPT_TIMEOUT_MS)) };
  };
  return {
    sh,
    async ok(script) {
      const { exitCode, stdout, stderr } = await sh(script);
      if (exitCode !== 0) throw new Error(`"${script}" ended with ${exitCode} in the virtual machine.\nstdout: ${stdout}\nstderr: ${stderr}`);
      return stdout.replace(/\n$/, "");
    },
    powerOff: () => end(machine),
  };
}

type Line = string | { ended: string | undefined };

/** The lines that the machine sends, one a call; `ended` says why it will send no more, or is absent when time is up. */
function readLines(machine: ChildProcess): (timeoutMs: number) => Promise<Line> {
  const lines: string[] = [];
  let rest = "";
  let complaint = "";
  let ended: string | undefined;
  let wake: (() => void) | undefined;
  machine.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    wake?.();
  });
  machine.stderr?.setEncoding("utf8").on("data", (chunk: string) => { complaint += chunk; });
  const settle = (what: string): void => {
    ended ??= what;
    wake?.();
  };
  machine.once("error", (error) => { settle(error.message); });
  machine.once("close", (code, signal) => { settle(`${complaint}exit ${code ?? signal ?? ""}`); });
  return async (timeoutMs) => {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const line = lines.shift();
      if (line !== undefined) return line;
      if (ended !== undefined) return { ended };
      const left = until - performance.now();
      if (left <= 0) return { ended: undefined };
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
}
