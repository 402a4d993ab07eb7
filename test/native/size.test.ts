/**
 * What keel may cost, and that it is what it says: 1,200 lines, 150 KB, static, and the same on arm64 (under qemu's
 * emulation where this machine is no arm64). Needs gcc, the cross compiler and qemu-user-static.
 */
import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { Plan } from "../../src/plan/index.ts";
import { Bench, buildArm64, buildReal, cloneInto, keelSources, monitored, shell, until } from "./support.ts";
import { run } from "../support/command.ts";

/** Of ELF64 (elf(5)): what kind of file it is, for which machine, and the types of its program headers. */
function elf(path: string): { machine: number; type: number; headers: number[] } {
  const bytes = readFileSync(path);
  expect(bytes.subarray(0, 4).toString("latin1")).toBe("\u007fELF");
  const [at, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  return { type: bytes.readUInt16LE(16), machine: bytes.readUInt16LE(18), headers: Array.from({ length: count }, (_, i) => bytes.readUInt32LE(at + i * size)) };
}

const PT_DYNAMIC = 2;
const PT_INTERP = 3;

test("keel is at most 1,200 lines, none of them overlong", () => {
  const lines = keelSources().map((path) => [basename(path), readFileSync(path, "utf8").split("\n")] as const);
  expect(lines.reduce((sum, [, text]) => sum + text.length - 1, 0)).toBeLessThanOrEqual(1200);
  // Lines that say several things at once would be a way around the limit.
  for (const [, text] of lines) for (const line of text) expect(line.length).toBeLessThanOrEqual(160);
});

describe.each([["this machine's", buildReal, process.arch === "arm64" ? 183 : 62], ["arm64's", buildArm64, 183]] as const)("%s executable", (_, build, machine) => {
  test("is static and small, and wants nothing from the machine", async () => {
    const keel = await build();
    const { type, machine: is, headers } = elf(keel);
    expect([type, is]).toEqual([2, machine]); // ET_EXEC
    expect(headers).not.toContain(PT_INTERP);
    expect(headers).not.toContain(PT_DYNAMIC);
    expect(statSync(keel).size).toBeLessThanOrEqual(150_000);
  });
});

test("keel runs from a sealed copy of itself in memory, which nobody can write (CVE-2019-5736)", async () => {
  using bench = new Bench(await buildReal());
  const run = bench.start(monitored({ script: "echo up; exec sleep 60" }));
  while (!run.output.stdout.includes("up")) await new Promise((resolve) => setTimeout(resolve, 5));
  const { monitorPid } = run.report();
  expect(readFileSync(`/proc/${monitorPid}/maps`, "utf8")).toContain("/memfd:keel (deleted)");
  const exe = openSync(`/proc/${monitorPid}/exe`, "r");
  run.child.kill("SIGKILL");
  process.kill(monitorPid, "SIGKILL");
  await run.exited;
  await until("it has ended", () => !existsSync(`/proc/${monitorPid}`) || readFileSync(`/proc/${monitorPid}/stat`, "utf8").includes(") Z "));
  // A program that runs is safe from writers (ETXTBSY); this one is when it has ended, too.
  const writable = openSync(`/proc/self/fd/${exe}`, "r+");
  expect(() => writeSync(writable, "x", 0)).toThrow("EPERM");
  expect(() => { ftruncateSync(writable, 0); }).toThrow("EPERM");
  expect(() => openSync(`/proc/self/fd/${exe}`, "w")).toThrow("EPERM");
  closeSync(writable);
  closeSync(exe);
});

describe("on arm64", () => {
  /**
   * This kernel cannot execute the sealed copy that keel makes of itself, so the emulator is given one that is sealed
   * already (descriptor 10), and keel finds nothing to do.
   */
  const sealed = `import os, sys, fcntl
fd = os.memfd_create("keel", os.MFD_ALLOW_SEALING)
os.write(fd, open(sys.argv[1], "rb").read())
fcntl.fcntl(fd, 1033, 15)
os.dup2(fd, 10)
os.execv("/usr/bin/qemu-aarch64-static", ["qemu-aarch64-static", "/proc/self/fd/10"])`;
  const qemu = process.arch === "arm64" ? [] : ["/usr/bin/python3", "-I", "-c", sealed];

  test("the call numbers, arguments and results are its own", async () => {
    using bench = new Bench(await buildArm64(), { wrap: qemu, arch: "arm64" });
    const plan = new Plan();
    const out = plan.out(400);
    plan.outer.call("uname", [{ out: out.out }]);
    const root = plan.outer.call("openat", [-100, "/", 0, 0]);
    const missing = plan.outer.call("openat", [root, "nowhere/at-all", 0, 0], { tolerate: ["ENOENT"] });
    plan.outer.call("write", [1, "emulated\n", 9]);
    plan.outer.exit(4, { when: { of: missing, is: "ENOENT" } });
    plan.outer.exit(5);
    const { code, stdout, stderr, report } = await bench.run(plan);
    expect([code, stdout, stderr]).toEqual([4, "emulated\n", ""]);
    expect(report.out.subarray(4 * 65, 4 * 65 + 7).toString()).toBe("aarch64"); // struct utsname's fields are 65 bytes
    expect(report.failure).toBeUndefined();
  });

  test("a failing call is named", async () => {
    using bench = new Bench(await buildArm64(), { wrap: qemu, arch: "arm64" });
    const plan = new Plan();
    plan.outer.call("getpid", []);
    plan.outer.call("close", [-1]);
    expect((await bench.run(plan)).report.failure).toEqual({ index: 1, errno: 9 });
  });

  test.skipIf(process.arch !== "arm64")("a child runs (not under emulation: qemu-user has no clone3)", async () => {
    using bench = new Bench(await buildArm64(), { arch: "arm64" });
    const plan = new Plan();
    cloneInto(plan.outer);
    plan.outer.wait();
    shell(plan.inner, "exit 3");
    expect((await bench.run(plan)).code).toBe(3);
  });
});

test("the emulator and the cross compiler are there", async () => {
  expect((await run(["aarch64-linux-gnu-gcc", "--version"])).exitCode).toBe(0);
  if (process.arch !== "arm64") expect((await run(["qemu-aarch64-static", "--version"])).exitCode).toBe(0);
});
