/** Attacks 1 to 6 of the project's list, each tried from inside a container and judged by what it achieved. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildProbe, busyboxRootfs, createSandbox, installProbe, parseFacts, parseMountinfo, runOk, statusField, type CommandResult, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
let count = 0;
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const attack = (command: string[], flags: string[] = [], root = rootfs): Promise<CommandResult> =>
  sandbox.sampan(["run", "--rm", "--network", "none", "--rootfs", root, ...flags, ...command]);

/** A root filesystem that its maker has prepared against us. */
async function hostileRoot(prepare: (root: string) => void | Promise<void>): Promise<string> {
  const root = join(sandbox.dir, `hostile-${(count += 1)}`);
  mkdirSync(join(root, "bin"), { recursive: true });
  for (const name of ["etc", "proc", "sys", "dev", "tmp"]) mkdirSync(join(root, name));
  copyFileSync(await buildProbe(), join(root, "probe"));
  chmodSync(join(root, "probe"), 0o755);
  copyFileSync(join(rootfs, "bin/busybox"), join(root, "bin/busybox"));
  symlinkSync("busybox", join(root, "bin/sh"));
  await prepare(root);
  return root;
}

/** A directory of the host that no container may change. */
function bait(): { path: string; untouched: () => void } {
  const path = join(sandbox.dir, `bait-${(count += 1)}`);
  mkdirSync(path);
  writeFileSync(join(path, "file"), "bait");
  return {
    path,
    untouched() {
      expect(readdirSync(path)).toEqual(["file"]);
      expect(readFileSync(join(path, "file"), "utf8")).toBe("bait");
    },
  };
}

const call = async (words: string[], flags: string[] = []): Promise<string> => /"errno":"(\w*)"/.exec((await attack(["/probe", ...words], flags)).stdout)?.[1] ?? "died";

describe("1. the engine's own executable", () => {
  test("CVE-2019-5736: /proc/self/exe as entrypoint is the container's own program or nothing, never the engine", async () => {
    for (const flags of [[], ["--init"], ["--privileged"]]) {
      const { stdout, stderr, exitCode } = await attack(["/proc/self/exe", "version"], flags);
      expect(stdout + stderr).not.toMatch(/Sampan version|Usage:/);
      expect([125, 126, 127]).toContain(exitCode ?? 0);
    }
  });

  test("CVE-2019-5736: a script whose interpreter is /proc/self/exe, and a link to it", async () => {
    const root = await hostileRoot((at) => {
      writeFileSync(join(at, "script"), "#!/proc/self/exe\n", { mode: 0o755 });
      symlinkSync("/proc/self/exe", join(at, "link"));
    });
    for (const program of ["/script", "/link"]) {
      const { stdout, exitCode } = await attack([program], [], root);
      expect(stdout).not.toContain("Sampan");
      expect(exitCode).not.toBe(0);
    }
  });

  test("CVE-2019-5736: what runs before and beside the program cannot be written through /proc/PID/exe", async () => {
    const before = lstatSync(join(import.meta.dirname, "../../dist/sampan")).mtimeMs;
    const keel = readdirSync(sandbox.state).find((name) => name.startsWith("keel-"));
    const keelBefore = keel === undefined ? undefined : readFileSync(join(sandbox.state, keel));
    // Init is the engine's code as PID 1: everything there is to write to it is tried, with every capability.
    const script = "for i in 1 2 3; do /probe open /proc/1/exe 1; /probe open /proc/1/exe 2; (echo x > /proc/1/exe) 2>&1; done; true";
    for (const flags of [["--init"], ["--init", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined"], ["--init", "--privileged"]]) {
      const { stdout } = await attack(["sh", "-c", script], flags);
      expect(stdout).not.toContain('"errno":""');
    }
    expect(lstatSync(join(import.meta.dirname, "../../dist/sampan")).mtimeMs).toBe(before);
    if (keel !== undefined && keelBefore !== undefined) expect(readFileSync(join(sandbox.state, keel)).equals(keelBefore)).toBe(true);
  });

  test("with the host's processes in view, the monitor's executable is sealed", async () => {
    const id = await sandbox.ok(["run", "-d", "--network", "none", "--rootfs", rootfs, "sleep", "60"]);
    const monitor = /^\d+/.exec(readFileSync(join(sandbox.state, "containers", id, "monitor"), "utf8"))?.[0] ?? "";
    const { stdout } = await attack(["sh", "-c", `/probe open /proc/${monitor}/exe 1; /probe open /proc/${monitor}/exe 2`], ["--pid", "host", "--privileged"]);
    expect(stdout).not.toContain('"errno":""');
    await sandbox.ok(["rm", "-f", id]);
  });
});

describe("2. leaked descriptors", () => {
  test("CVE-2016-9962: none but 0 to 2 reach the program, none but them are ever open in its process", async () => {
    for (const flags of [[], ["--init"], ["-i"], ["--privileged"]]) {
      const facts = parseFacts((await attack(["/probe"], flags)).stdout);
      expect(Object.keys(facts.fds)).toEqual(["0", "1", "2"]);
    }
  });

  test("init has the program's streams and nothing else, from the program's first moment and under a filter that lets it close nothing", async () => {
    const profile = join(sandbox.dir, "no-close.json");
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["close_range", "pipe2"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }] }));
    for (const flags of [[], ["--security-opt", `seccomp=${profile}`]])
      for (let round = 0; round < 10; round++) expect((await attack(["ls", "/proc/1/fd"], ["--init", ...flags])).stdout).toBe("0\n1\n2\n");
    // What images with a cron daemon do.
    expect((await attack(["sh", "-c", "echo told >/proc/1/fd/1"], ["--init"])).stdout).toBe("told\n");
  });

  test("a descriptor that the caller left open does not come along", async () => {
    const out = await runOk(["sh", "-c", 'exec 7</etc/shadow 8</; "$@"', "sh", join(import.meta.dirname, "../../dist/sampan"), "run", "--rm", "--network", "none", "--rootfs", rootfs, "/probe"], { env: sandbox.env });
    expect(Object.keys(parseFacts(out).fds)).toEqual(["0", "1", "2"]);
  });

  test("CVE-2024-21626: -w and an image's link into /proc/self/fd lead nowhere on the host", async () => {
    const root = await hostileRoot((at) => { for (let fd = 3; fd < 24; fd += 1) symlinkSync(`/proc/self/fd/${fd}`, join(at, `cwd-${fd}`)); });
    await Promise.all(Array.from({ length: 21 }, async (_, i) => {
      for (const path of [`/proc/self/fd/${i + 3}`, `/proc/self/fd/${i + 3}/../..`, `/cwd-${i + 3}`, `/proc/thread-self/fd/${i + 3}`]) {
        const { stdout, exitCode } = await attack(["/probe"], ["-w", path], root);
        expect([path, exitCode, stdout]).toEqual([path, 125, ""]);
      }
    }));
  }, 60_000);
});

describe("3. mount targets that are links", () => {
  test("CVE-2021-30465: a target that is a link, or leads through one, stays inside the root", async () => {
    const trap = bait();
    const root = await hostileRoot((at) => {
      symlinkSync(trap.path, join(at, "absolute"));
      symlinkSync("../".repeat(12) + trap.path.slice(1), join(at, "relative"));
      symlinkSync("loop", join(at, "loop"));
    });
    const source = bait();
    for (const target of ["/absolute", "/relative", "/absolute/deeper", "/relative/file"]) {
      const flags = ["-v", `${source.path}:${target}`];
      const facts = await attack(["/probe"], flags, root);
      if (facts.exitCode === 0) {
        const mounted = parseMountinfo(parseFacts(facts.stdout).mountinfo).map((mount) => mount.target);
        expect(mounted.every((path) => path.startsWith("/"))).toBe(true);
      }
      trap.untouched();
      source.untouched();
    }
    expect((await attack(["/probe"], ["-v", `${source.path}:/loop`], root)).exitCode).toBe(125);
    await attack(["sh", "-c", "echo x > /t/new"], ["--tmpfs", "/absolute"], root);
    trap.untouched();
  });

  test.each(["proc", "sys"])("CVE-2019-19921, CVE-2023-27561: /%s as a link in the image is refused", async (name) => {
    const trap = bait();
    const root = await hostileRoot((at) => {
      rmSync(join(at, name), { recursive: true });
      symlinkSync(trap.path, join(at, name));
    });
    const { exitCode, stderr } = await attack(["/probe"], [], root);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(`/${name}`);
    trap.untouched();
  });

  test("CVE-2019-19921: /proc as a link to another directory of the image is refused, too", async () => {
    const root = await hostileRoot((at) => {
      rmSync(join(at, "proc"), { recursive: true });
      mkdirSync(join(at, "fake/self/attr"), { recursive: true });
      symlinkSync("fake", join(at, "proc"));
    });
    expect((await attack(["/probe"], [], root)).exitCode).toBe(125);
  });

  test("/dev as a link leads nowhere on the host", async () => {
    const trap = bait();
    const root = await hostileRoot((at) => {
      rmSync(join(at, "dev"), { recursive: true });
      symlinkSync(trap.path, join(at, "dev"));
    });
    await attack(["/probe"], ["--device", "/dev/loop0", "-t"], root);
    trap.untouched();
  });

  test("CVE-2025-31133: a /dev/null of the image's is not what masks", async () => {
    const root = await hostileRoot((at) => { symlinkSync("/proc/sys/kernel/core_pattern", join(at, "dev/null")); });
    const facts = parseFacts((await attack(["/probe", "facts", "-w", "/proc/sys/kernel/core_pattern"], [], root)).stdout);
    expect(facts.writable["/proc/sys/kernel/core_pattern"]).toBe("EROFS");
    for (const name of ["keys", "timer_list"]) {
      const path = `/proc/${name}`;
      if (existsSync(path)) expect(parseMountinfo(facts.mountinfo).some((mount) => mount.target === path)).toBe(true);
    }
    expect((await attack(["/bin/busybox", "wc", "-c", "/proc/keys"], [], root)).stdout.trim()).toBe("0 /proc/keys");
  });

  test("the host's /dev/null is not what masks: its mode is not for a container to change", async () => {
    const identity = "stat -L -c %d:%i";
    const { dev, ino } = statSync("/dev/null");
    const own = await attack(["sh", "-c", `${identity} /proc/keys; ${identity} /proc/self/fd/0`]);
    expect(own.stdout).toMatch(/^(\d+:\d+)\n\1\n$/);
    expect(own.stdout).not.toContain(`${dev}:${ino}\n`);
    // Where the container is given the host's own node, the mask at least is read-only: chmod to what it is already fails.
    for (const flags of [["-v", "/dev:/dev"], ["--device", "/dev/null:/dev/null"]])
      expect((await attack(["chmod", "666", "/proc/keys"], flags)).stderr).toContain("Read-only file system");
    await attack(["true"], ["-v", "/dev:/dev", "-u", "5"]);
    expect(statSync("/dev/null").uid).not.toBe(5);
  });

  test("CVE-2025-52565: /dev/console and /dev/pts of the image's are not what the terminal is bound to", async () => {
    const trap = bait();
    const root = await hostileRoot((at) => {
      symlinkSync(join(trap.path, "file"), join(at, "dev/console"));
      symlinkSync(trap.path, join(at, "dev/pts"));
      symlinkSync("/proc/sysrq-trigger", join(at, "dev/ptmx"));
    });
    const facts = parseFacts((await attack(["/probe"], ["-t"], root)).stdout);
    expect(facts.dev.find(({ name }) => name === "console")).toMatchObject({ type: "c", major: 136 });
    trap.untouched();
  });

  test("CVE-2025-52881: a fake /proc in the image is never written to", async () => {
    const root = await hostileRoot((at) => {
      mkdirSync(join(at, "proc/self/attr"), { recursive: true });
      mkdirSync(join(at, "proc/sys/net/ipv4"), { recursive: true });
      writeFileSync(join(at, "proc/sys/net/ipv4/ip_forward"), "fake");
      writeFileSync(join(at, "proc/self/attr/exec"), "fake");
    });
    expect((await attack(["/bin/busybox", "cat", "/proc/sys/net/ipv4/ip_forward"], ["--sysctl", "net.ipv4.ip_forward=1"], root)).stdout.trim()).toBe("1");
    expect(readFileSync(join(root, "proc/sys/net/ipv4/ip_forward"), "utf8")).toBe("fake");
    // What would take the real one from under it is refused.
    expect((await attack(["true"], ["-v", `${join(root, "proc")}:/proc`])).exitCode).toBe(125);
    expect((await attack(["true"], ["--tmpfs", "/proc/self/attr"])).exitCode).toBe(125);
  });

  test("an image's /etc/resolv.conf, hosts and hostname that are links do not redirect what the engine writes", async () => {
    const trap = bait();
    const root = await hostileRoot((at) => {
      for (const name of ["resolv.conf", "hosts", "hostname"]) symlinkSync(join(trap.path, "file"), join(at, "etc", name));
    });
    const direct = await attack(["/probe"], [], root);
    expect(direct.exitCode).toBe(0);
    trap.untouched();
    expect((await attack(["/probe"], [], `${root}:rw`)).exitCode).toBe(0);
    trap.untouched();
  });
});

describe("4. user strings and files", () => {
  test.each(["4294967296", "4294967295", "2147483648", "-1", "0x0", ":", "1000:-1", "1000:4294967296", "a:b:c", "+0", " 0"])("CVE-2024-40635: --user %j is refused", async (user) => {
    const { exitCode, stdout } = await attack(["id"], ["-u", user]);
    expect([exitCode, stdout]).toEqual([125, ""]);
  });

  test("CVE-2026-47262: /etc/passwd as a link, a FIFO, a device, a directory, or huge, neither hangs nor leaks", async () => {
    const roots: [string, (path: string) => void | Promise<void>][] = [
      ["link", (path) => { symlinkSync("/etc/shadow", path); }],
      ["fifo", async (path) => { await runOk(["mkfifo", path]); }],
      ["device", async (path) => { await runOk(["mknod", path, "c", "1", "5"]); }],
      ["directory", (path) => { mkdirSync(path); }],
      ["huge", (path) => { writeFileSync(path, ""); truncateSync(path, 50 * 2 ** 30); }],
    ];
    for (const [, make] of roots) {
      const root = await hostileRoot((at) => make(join(at, "etc/passwd")));
      const started = performance.now();
      const named = await attack(["/probe"], ["-u", "root"], root);
      expect(named.exitCode).toBe(125);
      expect(named.stderr).toContain("/etc/passwd");
      expect(performance.now() - started).toBeLessThan(5_000);
    }
  });

  test("ids that an image gives out of range are refused", async () => {
    const root = await hostileRoot((at) => { writeFileSync(join(at, "etc/passwd"), "big:x:4294967296:0::/:/bin/sh\nneg:x:-1:0::/:/bin/sh\n"); });
    for (const user of ["big", "neg"]) expect((await attack(["/probe"], ["-u", user], root)).exitCode).toBe(125);
  });
});

describe("5. cgroups, ids, capabilities", () => {
  test("CVE-2022-0492: release_agent cannot be written, and no hierarchy mounted to do so", async () => {
    const script = "for f in /sys/fs/cgroup/*/release_agent; do echo /x > $f && echo WROTE; done; mkdir /m; mount -t cgroup -o memory none /m && echo MOUNTED; unshare -UrmC sh -c 'mount -t cgroup -o memory none /m && echo MOUNTED'; true";
    expect((await attack(["sh", "-c", script])).stdout).toBe("");
  });

  test("CVE-2022-29162: the inheritable set is empty, for root and for others", async () => {
    for (const flags of [[], ["-u", "1000"], ["--cap-add", "SYS_ADMIN"], ["--privileged"]]) {
      const facts = parseFacts((await attack(["/probe"], flags)).stdout);
      expect([statusField(facts, "CapInh"), statusField(facts, "CapAmb")]).toEqual(["0000000000000000", "0000000000000000"]);
    }
  });

  test("ids like ../x are no ids", async () => {
    for (const id of ["../x", "../../etc", "..", "x/y"]) {
      const { exitCode, stderr } = await sandbox.sampan(["rm", "-f", id]);
      expect([0, 1]).toContain(exitCode ?? -1);
      expect(stderr).toContain("No such container");
    }
    expect(existsSync("/etc/passwd")).toBe(true);
  });
});

describe.skipIf(process.arch !== "x64")("6. system calls", () => {
  // x86-64 numbers. EFAULT, EINVAL and the like would mean that the kernel has looked at the arguments.
  test.each<[string, string[], string]>([
    ["clone3 → ENOSYS, so that libc falls back to clone", ["syscall", "435", "0", "0"], "ENOSYS"],
    ["keyctl", ["syscall", "250", "0", "0"], "EPERM"],
    ["add_key", ["syscall", "248", "0", "0"], "EPERM"],
    ["userfaultfd", ["syscall", "323", "0"], "EPERM"],
    ["bpf", ["syscall", "321", "0", "0", "0"], "EPERM"],
    ["io_uring_setup", ["syscall", "425", "1", "0"], "EPERM"],
    ["CVE-2026-31431: AF_ALG", ["syscall", "41", "38", "5", "0"], "EPERM"],
    ["AF_VSOCK", ["syscall", "41", "40", "1", "0"], "EPERM"],
    ["AF_ALG by socketcall's 32-bit ABI", ["syscall32", "359", "38", "5", "0"], "EPERM"],
    ["mount", ["syscall", "165", "0", "0", "0", "0", "0"], "EPERM"],
    ["unshare(CLONE_NEWUSER)", ["syscall", "272", "0x10000000"], "EPERM"],
    ["clone(CLONE_NEWUSER)", ["syscall", "56", "0x10000011", "0"], "EPERM"],
    ["setns", ["syscall", "308", "0", "0"], "EPERM"],
    ["open_by_handle_at", ["syscall", "304", "0", "0", "0"], "EPERM"],
    ["kexec_load", ["syscall", "246", "0", "0", "0", "0"], "EPERM"],
    ["perf_event_open", ["syscall", "298", "0", "0", "0", "0", "0"], "EPERM"],
    ["the x32 ABI: getpid", ["syscall", "0x40000027"], "ENOSYS"],
    ["32-bit: keyctl", ["syscall32", "288", "0", "0"], "EPERM"],
    ["32-bit: mount", ["syscall32", "21", "0", "0", "0", "0"], "EPERM"],
  ])("%s", async (_, words, errno) => {
    const answer = await call(words);
    // x32 may also be refused outright; a filter that does not know a call says EPERM, the kernel without x32 ENOSYS.
    if (words[1] === "0x40000027") expect(["EPERM", "ENOSYS", "died"]).toContain(answer);
    else expect(answer).toBe(errno);
  });

  test("what programs need is there", async () => {
    expect(await call(["syscall", "39"])).toBe(""); // getpid
    expect(await call(["syscall", "41", "1", "1", "0"])).toBe(""); // socket(AF_UNIX)
    expect(await call(["syscall32", "20"])).toBe(""); // getpid of the 32-bit ABI
  });

  test("TIOCSTI: nothing can be typed into the person's terminal", async () => {
    await using pty = await sandbox.pty(["run", "--rm", "-it", "--network", "none", "--rootfs", rootfs, "/probe", "sti"]);
    await pty.exited;
    // It is the container's own terminal; even so nothing of it may reach the one outside.
    expect(pty.output).toMatch(/"errno":"(|EIO|EPERM)"/);
    expect(pty.output.replaceAll(/\{.*\}\s*/g, "").replaceAll("x", "")).toBe("");
  });
});
