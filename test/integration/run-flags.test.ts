/** Every daily flag of `sampan run`, by what a process inside the container sees of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname as hostName } from "node:os";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, installProbe, parseFacts, parseMountinfo, statusField, type GuestFacts, type GuestMount, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const base = (): string[] => ["run", "--rm", "--network", "none", "--rootfs", rootfs];

/** stdout of a command in a container with these flags; flags and command are told apart by "--". */
function inside(flags: string[], command: string[], input?: string): Promise<string> {
  return sandbox.ok([...base(), ...flags, ...command], input === undefined ? {} : { input });
}

async function facts(flags: string[], words: string[] = []): Promise<GuestFacts> {
  return parseFacts(await inside(flags, ["/probe", "facts", ...words]));
}

function mountAt(guest: GuestFacts, target: string): GuestMount {
  const found = parseMountinfo(guest.mountinfo).findLast((mount) => mount.target === target);
  if (found === undefined) throw new Error(`Nothing is mounted at "${target}":\n${guest.mountinfo}`);
  return found;
}

function file(name: string, text: string): string {
  const path = join(sandbox.dir, name);
  writeFileSync(path, text);
  return path;
}

describe("what every container has (experiment 12)", () => {
  test("PID 1, its own host name, processes, /proc, /sys and /dev", async () => {
    const guest = await facts([]);
    expect(guest.pid).toBe(1);
    expect(guest.ppid).toBe(0);
    expect(guest.hostname).toMatch(/^[0-9a-f]{12}$/);
    expect(guest.hostname).not.toBe(hostName());
    expect(Object.keys(guest.fds)).toEqual(["0", "1", "2"]);
    expect([mountAt(guest, "/").type, mountAt(guest, "/proc").type, mountAt(guest, "/sys").type, mountAt(guest, "/dev").type]).toEqual(["overlay", "proc", "sysfs", "tmpfs"]);
    expect(mountAt(guest, "/sys").options).toContain("ro");
    expect(parseMountinfo(guest.mountinfo).flatMap(({ propagation }) => propagation)).toEqual([]);
    const nodes = Object.fromEntries(guest.dev.filter(({ type }) => type === "c").map((node) => [node.name, `${node.major}:${node.minor} ${node.mode.toString(8)}`]));
    expect(nodes).toEqual({ null: "1:3 666", zero: "1:5 666", full: "1:7 666", random: "1:8 666", urandom: "1:9 666", tty: "5:0 666" });
    const links = Object.fromEntries(guest.dev.filter(({ type }) => type === "l").map((node) => [node.name, node.target]));
    expect(links).toEqual({ fd: "/proc/self/fd", stdin: "/proc/self/fd/0", stdout: "/proc/self/fd/1", stderr: "/proc/self/fd/2", ptmx: "pts/ptmx" });
    for (const kind of ["mnt", "pid", "net", "ipc", "uts", "cgroup"] as const) expect(guest.namespaces[kind]).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    expect(guest.umask).toBe(0o022);
    expect(statusField(guest, "SigBlk")).toBe("0000000000000000");
    expect(statusField(guest, "SigIgn")).toBe("0000000000000000");
    const processes = await inside([], ["sh", "-c", "echo /proc/[0-9]*"]);
    expect(processes).toBe("/proc/1");
  });

  test("masked and read-only paths", async () => {
    const guest = await facts([], ["-w", "/proc/sys/kernel/hostname", "-w", "/proc/irq/default_smp_affinity", "-w", "/sys/kernel"]);
    expect(Object.values(guest.writable)).toEqual(["EROFS", "EROFS", "EROFS"]);
    expect(await inside([], ["sh", "-c", "cat /proc/keys /proc/timer_list /proc/interrupts /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v : | grep .; true"])).toBe("0");
  });

  test("the environment is the image's and the person's, never the host's", async () => {
    const { stdout } = await sandbox.sampan([...base(), "/probe"], { env: { SECRET_OF_THE_HOST: "1", PATH: process.env["PATH"] } });
    const guest = parseFacts(stdout);
    expect(guest.env.toSorted()).toEqual(["HOME=/root", `HOSTNAME=${guest.hostname}`, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
  });
});

describe("environment and process", () => {
  test("-e, -e NAME, --env-file", async () => {
    const path = file("env", "# a comment\nFROM_FILE=a b=c\nCALLER\nNOT_THERE\n");
    const { stdout } = await sandbox.sampan([...base(), "--env-file", path, "-e", "A=1 2", "-e", "CALLER2", "-e", "ABSENT", "-e", "EMPTY=", "-e", "HOME=/x", "/probe"], { env: { CALLER: "c", CALLER2: "d" } });
    const env = parseFacts(stdout).env;
    expect(env).toEqual(expect.arrayContaining(["FROM_FILE=a b=c", "CALLER=c", "A=1 2", "CALLER2=d", "EMPTY=", "HOME=/x"]) as string[]);
    expect(env.some((entry) => /^(ABSENT|NOT_THERE)/.test(entry))).toBe(false);
  });

  test.each<[string[], { uid: number; gid: number; groups: number[]; home: string }]>([
    [[], { uid: 0, gid: 0, groups: [10], home: "/root" }],
    [["-u", "app"], { uid: 1000, gid: 1000, groups: [10, 2000], home: "/home/app" }],
    [["-u", "1000"], { uid: 1000, gid: 1000, groups: [10, 2000], home: "/home/app" }],
    [["-u", "app:extra"], { uid: 1000, gid: 2000, groups: [], home: "/home/app" }],
    [["-u", "4321:77"], { uid: 4321, gid: 77, groups: [], home: "/" }],
    [["-u", "4321"], { uid: 4321, gid: 0, groups: [], home: "/" }],
    [["-u", "4321", "--group-add", "extra", "--group-add", "99"], { uid: 4321, gid: 0, groups: [99, 2000], home: "/" }],
  ])("user %j", async (flags, expected) => {
    const guest = await facts(flags);
    expect(guest.uid).toEqual([expected.uid, expected.uid, expected.uid]);
    expect(guest.gid).toEqual([expected.gid, expected.gid, expected.gid]);
    // The own group is among them (CVE-2022-36109).
    expect(guest.groups.toSorted((a, b) => a - b)).toEqual([expected.gid, ...expected.groups].toSorted((a, b) => a - b));
    expect(guest.env).toContain(`HOME=${expected.home}`);
    // A user that is not root keeps nothing, and can regain no more than the default set through a setuid program.
    expect(statusField(guest, "CapEff")).toBe(expected.uid === 0 ? "00000000a80425fb" : "0000000000000000");
    expect(statusField(guest, "CapBnd")).toBe("00000000a80425fb");
    expect(statusField(guest, "CapInh")).toBe("0000000000000000");
  });

  test("-w makes the directory where it is missing", async () => {
    expect((await facts(["-w", "/home/app"])).cwd).toBe("/home/app");
    expect((await facts(["-w", "/made/for/it"])).cwd).toBe("/made/for/it");
    expect(existsSync(join(rootfs, "made"))).toBe(false);
  });

  test("--entrypoint, and arguments as they were given", async () => {
    expect(await inside(["--entrypoint", "/bin/echo"], ["one", "-n"])).toBe("one -n");
    expect(await inside(["--entrypoint", ""], ["echo", "x"])).toBe("x");
    const odd = ["a b", "", "'", '"', "\\", "$HOME", "*", "-it", "--rm", "\n", "ü"];
    expect((await facts([], odd)).argv.map((word) => Buffer.from(word, "latin1").toString())).toEqual(["/probe", "facts", ...odd]);
  });

  test("the container's own flags are not the engine's", async () => {
    expect(await inside([], ["echo", "-it", "--rm", "--name=x", "--", "-v"])).toBe("-it --rm --name=x -- -v");
    expect(await inside(["--"], ["echo", "--rm"])).toBe("--rm");
  });

  test("-h, --domainname, --uts host", async () => {
    const own = await facts(["-h", "box", "--domainname", "example.test"]);
    expect([own.hostname, own.domainname]).toEqual(["box", "example.test"]);
    expect(own.env).toContain("HOSTNAME=box");
    expect(await inside(["-h", "box"], ["cat", "/etc/hostname"])).toBe("box");
    const host = await facts(["--uts", "host"]);
    expect(host.hostname).toBe(hostName());
    expect(host.namespaces.uts).toBe(readlinkSync("/proc/self/ns/uts"));
  });

  test("--pid host, --ipc host, --ipc none, --network host", async () => {
    const pid = await facts(["--pid", "host"]);
    expect(pid.namespaces.pid).toBe(readlinkSync("/proc/self/ns/pid"));
    expect(pid.pid).toBeGreaterThan(1);
    const ipc = await facts(["--ipc", "host"]);
    expect(ipc.namespaces.ipc).toBe(readlinkSync("/proc/self/ns/ipc"));
    expect(mountAt(ipc, "/dev/mqueue").type).toBe("mqueue");
    const mark = `/dev/shm/sampan-test-${process.pid}`;
    writeFileSync(mark, "");
    try {
      expect(await inside(["--ipc", "host"], ["ls", mark])).toBe(mark);
      expect((await sandbox.sampan([...base(), "ls", mark])).exitCode).toBe(1);
    } finally {
      rmSync(mark);
    }
    const none = await facts(["--ipc", "none"]);
    expect(parseMountinfo(none.mountinfo).some(({ target }) => target === "/dev/shm")).toBe(false);
    const network = parseFacts(await sandbox.ok(["run", "--rm", "--network", "host", "--rootfs", rootfs, "/probe"]));
    expect(network.namespaces.net).toBe(readlinkSync("/proc/self/ns/net"));
    expect(network.hostname).toBe(hostName());
  });

  test("--network none has lo, up, and nothing else", async () => {
    expect(await inside([], ["ls", "/sys/class/net"])).toBe("lo");
    expect(await inside([], ["sh", "-c", "ping -c1 -w2 127.0.0.1 >/dev/null && echo up"])).toBe("up");
  });

  test("--init reaps orphans, forwards, and gives the exit code on", async () => {
    expect(await inside(["--init"], ["sh", "-c", "/probe orphan 5; /probe zombies"])).toBe('{"zombies":0}');
    expect(await inside(["--init"], ["sh", "-c", "echo $$"])).not.toBe("1");
    expect((await sandbox.sampan([...base(), "--init", "sh", "-c", "exit 9"])).exitCode).toBe(9);
    expect((await sandbox.sampan([...base(), "--init", "sh", "-c", "kill -TERM $$"])).exitCode).toBe(143);
    expect((await sandbox.sampan([...base(), "--init", "nosuch"])).exitCode).toBe(127);
  });

  test("--ulimit", async () => {
    const { rlimits } = await facts(["--ulimit", "nofile=100:200", "--ulimit", "core=0", "--ulimit", "stack=1048576"]);
    expect([rlimits["nofile"], rlimits["core"], rlimits["stack"]]).toEqual([[100, 200], [0, 0], [1048576, 1048576]]);
    // Fewer descriptors than it takes to make a container.
    expect(await inside(["--ulimit", "nofile=6"], ["sh", "-c", "ulimit -n"])).toBe("6");
  });

  test("--sysctl", async () => {
    expect(await inside(["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=1234", "--sysctl", "fs.mqueue.msg_max=7"], ["cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax", "/proc/sys/fs/mqueue/msg_max"])).toBe("1\n1234\n7");
    expect(readFileSync("/proc/sys/kernel/msgmax", "utf8").trim()).not.toBe("1234");
  });

  test("--oom-score-adj", async () => expect((await facts(["--oom-score-adj", "321"])).oom_score_adj?.trim()).toBe("321"));
});

describe("files", () => {
  test("-v of a file and of a directory, :ro, and what is made by -v alone", async () => {
    const path = file("data", "hello\n");
    const directory = join(sandbox.dir, "shared");
    mkdirSync(directory);
    writeFileSync(join(directory, "x"), "x");
    const flags = ["-v", `${path}:/etc/data`, "-v", `${directory}:/deep/er:ro`];
    const guest = await facts(flags, ["-w", "/etc/data", "-w", "/deep/er"]);
    expect(guest.writable).toEqual({ "/etc/data": "yes", "/deep/er": "EROFS" });
    expect(await inside(flags, ["sh", "-c", "cat /etc/data /deep/er/x; echo new > /etc/data"])).toBe("hello\nx");
    expect(readFileSync(path, "utf8")).toBe("new\n");
    const missing = join(sandbox.dir, "not/there");
    expect(await inside(["-v", `${missing}:/d`], ["sh", "-c", "touch /d/made; ls /d"])).toBe("made");
    expect(readdirSync(missing)).toEqual(["made"]);
  });

  test("--mount bind with readonly and propagation", async () => {
    const directory = join(sandbox.dir, "propagation");
    mkdirSync(directory);
    const at = async (more: string): Promise<GuestMount> => mountAt(await facts(["--mount", `type=bind,source=${directory},target=/p${more}`]), "/p");
    expect((await at("")).propagation).toEqual([]);
    expect((await at(",readonly")).options).toContain("ro");
    expect((await at(",bind-propagation=shared")).propagation.join()).toMatch(/shared:/);
  });

  test("a read-only bind is read-only to its very leaves", async () => {
    // /dev/pts is a mount beneath /dev: a bind of /dev that is read-only at its top alone would leave it writable.
    const guest = await facts(["-v", "/dev:/hostdev:ro"]);
    for (const mount of parseMountinfo(guest.mountinfo).filter(({ target }) => target.startsWith("/hostdev"))) expect(mount.options).toContain("ro");
  });

  test("--tmpfs and --mount type=tmpfs", async () => {
    const guest = await facts(["--tmpfs", "/t", "--tmpfs", "/u:size=2m,exec,mode=700", "--mount", "type=tmpfs,target=/v,tmpfs-size=1m,tmpfs-mode=1770"]);
    expect(mountAt(guest, "/t").options).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]) as string[]);
    expect(mountAt(guest, "/u").options).not.toContain("noexec");
    expect(mountAt(guest, "/u").superOptions).toEqual(expect.arrayContaining(["size=2048k", "mode=700"]) as string[]);
    expect(mountAt(guest, "/v").superOptions).toEqual(expect.arrayContaining(["size=1024k", "mode=1770"]) as string[]);
  });

  test("--read-only leaves what is mounted as it is", async () => {
    const guest = await facts(["--read-only", "--tmpfs", "/run"], ["-w", "/", "-w", "/etc", "-w", "/run", "-w", "/dev/shm", "-w", "/tmp"]);
    expect(guest.writable).toEqual({ "/": "EROFS", "/etc": "EROFS", "/run": "yes", "/dev/shm": "yes", "/tmp": "EROFS" });
  });

  test("--shm-size", async () => expect(mountAt(await facts(["--shm-size", "3m"]), "/dev/shm").superOptions).toContain("size=3072k"));

  test("--device and --device-cgroup-rule open what they name and no more", async () => {
    const guest = await facts(["--device", "/dev/loop0:/dev/disk:r"]);
    expect(guest.dev.find(({ name }) => name === "disk")).toMatchObject({ type: "b", major: 7, minor: 0 });
    expect(await inside(["--device", "/dev/loop0:/dev/disk:r"], ["sh", "-c", "/probe open /dev/disk 0; /probe open /dev/disk 2"])).toBe('{"result":3,"errno":""}\n{"result":-1,"errno":"EPERM"}');
    const open = "mknod /n b 7 0 && /probe open /n 0";
    expect(await inside([], ["sh", "-c", open])).toContain('"EPERM"');
    expect(await inside(["--device-cgroup-rule", "b 7:* r"], ["sh", "-c", `${open}; /probe open /n 2`])).toBe('{"result":3,"errno":""}\n{"result":-1,"errno":"EPERM"}');
  });

  test("--device-read-bps and its like hold one device's traffic down", async () => {
    // Any block device of the host's: nothing is read or written.
    const [name = "", numbers = ""] = readdirSync("/sys/block").map((disk) => [disk, readFileSync(`/sys/block/${disk}/dev`, "utf8").trim()] as const).find(([disk]) => existsSync(`/dev/${disk}`)) ?? [];
    const device = `/dev/${name}`;
    const flags = ["--device-read-bps", `${device}:1mb`, "--device-write-bps", `${device}:2mb`, "--device-read-iops", `${device}:30`, "--device-write-iops", `${device}:40`];
    const text = await inside(flags, ["sh", "-c", "cat /sys/fs/cgroup/io.max /sys/fs/cgroup/blkio/blkio.throttle.*_device 2>/dev/null; true"]);
    expect([
      `${numbers} rbps=1048576 wbps=2097152 riops=30 wiops=40`, // cgroup v2
      [1_048_576, 30, 2_097_152, 40].map((limit) => `${numbers} ${limit}`).join("\n"), // v1, files in alphabetical order
    ]).toContain(text);
    const id = await sandbox.ok(["create", ...base().slice(2), ...flags, "true"].filter((word) => word !== "--rm"));
    expect(JSON.parse(await sandbox.ok(["inspect", "-f", "{{json .HostConfig.BlkioDeviceReadBps}}", id]))).toEqual([{ Path: device, Rate: 1_048_576 }]);
    await sandbox.ok(["rm", id]);
    expect((await sandbox.sampan([...base(), "--device-read-bps", "/dev/null:1mb", "true"])).stderr).toBe('sampan: Cannot limit device "/dev/null": not a block device\n');
  });

  test("--rootfs DIR stays as it is, --rootfs DIR:rw does not", async () => {
    const own = await busyboxRootfs(join(sandbox.dir, "own"));
    const before = readdirSync(own);
    await sandbox.ok(["run", "--rm", "--network", "none", "--rootfs", own, "sh", "-c", "touch /new; rm /bin/wget; echo x > /etc/passwd"]);
    expect(readdirSync(own)).toEqual(before);
    expect(readlinkSync(join(own, "bin/wget"))).toBe("busybox");
    expect(readFileSync(join(own, "etc/passwd"), "utf8")).toContain("root:");
    await sandbox.ok(["run", "--rm", "--network", "none", "--rootfs", `${own}:rw`, "touch", "/new"]);
    expect(existsSync(join(own, "new"))).toBe(true);
  });

  test("two containers of one root do not see each other's files (experiment 6)", async () => {
    const other = sandbox.ok([...base(), "sh", "-c", "echo a > /mine; sleep 1; ls /mine /theirs 2>/dev/null"]);
    const one = sandbox.ok([...base(), "sh", "-c", "echo b > /theirs; sleep 1; ls /mine /theirs 2>/dev/null"]);
    expect(await Promise.allSettled([other, one]).then((all) => all.map((result) => result.status))).toEqual(["rejected", "rejected"]); // ls misses one of the two
    expect(existsSync(join(rootfs, "mine")) || existsSync(join(rootfs, "theirs"))).toBe(false);
  });
});

describe("privileges", () => {
  const capabilities = async (flags: string[]): Promise<string> => statusField(await facts(flags), "CapEff");

  test("--cap-add, --cap-drop", async () => {
    expect(await capabilities(["--cap-drop", "ALL"])).toBe("0000000000000000");
    expect(await capabilities(["--cap-drop", "ALL", "--cap-add", "net_raw"])).toBe("0000000000002000");
    expect(await capabilities(["--cap-drop", "CAP_NET_RAW"])).toBe("00000000a80405fb");
    const all = BigInt(`0x${await capabilities(["--cap-add", "ALL", "--cap-drop", "SYS_ADMIN"])}`);
    const host = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
    expect(all).toBe(host & ~(1n << 21n));
  });

  test("--security-opt no-new-privileges and seccomp", async () => {
    const plain = await facts([]);
    expect([plain.no_new_privs, statusField(plain, "Seccomp")]).toEqual([0, "2"]);
    expect((await facts(["--security-opt", "no-new-privileges"])).no_new_privs).toBe(1);
    expect(statusField(await facts(["--security-opt", "seccomp=unconfined"]), "Seccomp")).toBe("0");
    const profile = file("profile.json", JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }] }));
    expect((await sandbox.sampan([...base(), "--security-opt", `seccomp=${profile}`, "mkdir", "/x"])).stderr).toContain("Operation not supported");
  });

  test("--privileged", async () => {
    const guest = await facts(["--privileged"], ["-w", "/proc/sys/kernel/hostname", "-w", "/sys"]);
    expect(statusField(guest, "Seccomp")).toBe("0");
    expect(BigInt(`0x${statusField(guest, "CapEff")}`) & (1n << 21n)).not.toBe(0n);
    expect(guest.writable["/proc/sys/kernel/hostname"]).toBe("yes");
    expect(mountAt(guest, "/sys").options).toContain("rw");
    expect(guest.dev.some(({ name }) => name === "loop0")).toBe(true);
    expect(await inside(["--privileged"], ["/probe", "open", "/dev/loop0", "2"])).toContain('"errno":""');
  });
});

describe("what is said of it", () => {
  test("--name, -l, --label-file and --cidfile", async () => {
    const labels = file("labels", "# labels\na=1\nb=\n");
    const cidfile = join(sandbox.dir, "cid");
    await sandbox.ok(["run", "--network", "none", "--rootfs", rootfs, "--name", "said", "-l", "c=3", "--label-file", labels, "--cidfile", cidfile, "--stop-signal", "SIGUSR1", "true"]);
    const [inspected] = JSON.parse(await sandbox.ok(["container", "inspect", "said"])) as { Id: string; Config: { Labels: Record<string, string>; StopSignal: string } }[];
    expect(inspected?.Id).toBe(readFileSync(cidfile, "utf8"));
    expect(inspected?.Config.Labels).toEqual({ a: "1", b: "", c: "3" });
    expect(inspected?.Config.StopSignal).toBe("SIGUSR1");
    const again = await sandbox.sampan([...base(), "--cidfile", cidfile, "true"]);
    expect(again.exitCode).toBe(125);
    expect(again.stderr).toContain(cidfile);
    const taken = await sandbox.sampan([...base(), "--name", "said", "true"]);
    expect(taken.exitCode).toBe(125);
    expect(taken.stderr).toContain('The container name "/said" is already in use');
    await sandbox.ok(["rm", "said"]);
  });

  test("--rm leaves nothing, without it the container stays", async () => {
    await inside([], ["true"]);
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
    expect(readdirSync(join(sandbox.root, "containers"))).toEqual([]);
    expect(readdirSync(join(sandbox.state, "containers"))).toEqual([]);
    await sandbox.ok(["run", "--network", "none", "--rootfs", rootfs, "--name", "stays", "sh", "-c", "echo data > /file"]);
    expect(await sandbox.ok(["ps", "-a", "--format", "{{.Names}} {{.Status}}"])).toStartWith("stays Exited (0)");
    expect(statSync(join(sandbox.root, "containers")).mode & 0o077).toBe(0);
    await sandbox.ok(["rm", "stays"]);
    expect(readdirSync(join(sandbox.root, "containers"))).toEqual([]);
  });
});

test("the built-in image: this machine under a layer that is thrown away", async () => {
  const mark = `/var/tmp/sampan-test-${process.pid}`;
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "host", "sh", "-c", `. /etc/os-release; touch ${mark}; ls ${mark}; echo $$`])).toBe(`${mark}\n1`);
  expect(existsSync(mark)).toBe(false);
  // Neither the store nor another container's files are to be seen in it.
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "host", "sh", "-c", `ls -A ${sandbox.root} ${sandbox.state} 2> /dev/null | grep -v ':$' | grep .; true`])).toBe("");
});
