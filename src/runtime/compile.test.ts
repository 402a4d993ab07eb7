import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exampleConfig, exampleHost, exampleLaunch, exampleMonitor } from "../../test/support/launch.ts";
import { SampanError } from "../base/errors.ts";
import { defaultCapabilities } from "../linux/capabilities.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import type { ExplainedCall } from "../plan/explain.ts";
import { explainPlan } from "../plan/explain.ts";
import { encodePlan } from "../plan/index.ts";
import type { Call, Plan } from "../plan/index.ts";
import type { Launch } from "./index.ts";
import { compile } from "./index.ts";

const explained = (plan: Plan): ExplainedCall[] => explainPlan(plan).flatMap(({ calls }) => calls);
const inside = (plan: Plan): ExplainedCall[] => explained(plan).filter(({ side }) => side === "inner");
const texts = (plan: Plan): string[] => explained(plan).map(({ text }) => text);

/** Positions of the calls that match; fails if there is none. */
function places(calls: readonly ExplainedCall[], pattern: RegExp): number[] {
  const found = calls.flatMap(({ text }, i) => (pattern.test(text) ? [i] : []));
  if (found.length === 0) throw new Error(`no call matches ${String(pattern)}`);
  return found;
}

const first = (calls: readonly ExplainedCall[], pattern: RegExp): number => places(calls, pattern)[0] ?? -1;
const last = (calls: readonly ExplainedCall[], pattern: RegExp): number => places(calls, pattern).at(-1) ?? -1;

function change(edit: (config: RuntimeConfig) => void, more: Partial<Launch> = {}): Plan {
  const config = exampleConfig();
  edit(config);
  return compile(exampleLaunch({ config, ...more }));
}

const process = (config: RuntimeConfig): NonNullable<RuntimeConfig["process"]> => (config.process ??= { cwd: "/" });
const linux = (config: RuntimeConfig): NonNullable<RuntimeConfig["linux"]> => (config.linux ??= {});

/** The calls that make a mount or attach one. */
const MOUNTING = /^(move_mount|fsmount|mount\("|pivot_root|umount2)/;

/** What holds for every plan, whatever it was compiled from. */
function invariants(plan: Plan): void {
  const both = explained(plan);
  const all = both.filter(({ side }) => side === "inner");
  // Everything is private before anything is mounted.
  const privately = first(all, /^mount\(NULL, "\/", NULL, MS_REC\|MS_PRIVATE, NULL\)/);
  expect(privately).toBeLessThan(first(all, MOUNTING));
  // The root is changed after everything is mounted in it, and left before anybody is changed into.
  const pivot = first(all, /^pivot_root\("\.", "\."\)/);
  expect(all[pivot + 1]?.text).toBe(`umount2(".", MNT_DETACH)`);
  expect(all[pivot + 2]?.text).toBe(`chdir("/")`);
  expect(last(all, /^move_mount/)).toBeLessThan(pivot);
  // Identity, in the only order in which each step is still allowed.
  const order = [pivot, last(all, /^setresgid/), last(all, /^setresuid/), first(all, /^close_range/), first(all, /^capset/), first(all, /^execve/)];
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  const filter = all.findIndex(({ name }) => name === "seccomp");
  if (filter >= 0) {
    expect(filter).toBeGreaterThan(last(all, /^setresuid/));
    // After the filter only capset and execve are called, so that no profile has to allow more (seccomp(2)).
    for (const call of all.slice(filter + 1)) if (call.op === "call") expect(["capset", "execve"]).toContain(call.name);
  }
  // No descriptor but 0, 1 and 2 survives, and none is opened after they have been marked.
  const closed = first(all, /^close_range\(3, ~0, CLOSE_RANGE_CLOEXEC\)/);
  for (const call of all.slice(closed)) expect(call.name).not.toMatch(/^(open|socket|pipe|dup|fsopen|memfd)/);
  expect(all.some(({ name }) => name === "execve")).toBe(true);
  // Nothing is mounted on a path: targets are descriptors.
  for (const { text } of all)
    if (text.startsWith("move_mount")) expect(text).toMatch(/^move_mount\([^,]+, "", [^,]+, "", MOVE_MOUNT_F_EMPTY_PATH\|MOVE_MOUNT_T_EMPTY_PATH\)$/);
  // Every descriptor that is opened vanishes at execve.
  for (const call of [...plan.outer.calls, ...plan.inner.calls]) checkCloexec(call);
  // Limits are set, and read back, before the clone.
  const outside = both.filter(({ side }) => side === "outer");
  const clone = outside.findIndex(({ name }) => name === "clone3");
  outside.forEach(({ stage }, i) => { if (stage === "cgroup") expect(i).toBeLessThan(clone); });
}

function checkCloexec(call: Call): void {
  const flags = { openat: 2, open_tree: 2, pipe2: 1, socket: 1, socketpair: 1 }[call.name];
  if (flags !== undefined) expect([call.name, (Number(call.args[flags]) & 0o2000000) !== 0]).toEqual([call.name, true]);
}

describe("the plan of a container", () => {
  test("keeps its order", () => { invariants(compile(exampleLaunch())); });

  test("resolves every place in the container inside the root, without magic links", () => {
    const plan = compile(exampleLaunch());
    for (const { text } of explained(plan).filter(({ name }) => name === "openat2")) {
      expect(text).toMatch(/RESOLVE_(IN_ROOT|BENEATH)/);
      expect(text).toMatch(/RESOLVE_NO_(MAGICLINKS|SYMLINKS)/);
    }
    // A symlink at /proc or /sys is an attack (CVE-2019-19921).
    for (const name of ["proc", "sys"])
      expect(texts(plan).some((text) => text.startsWith("openat2(") && text.includes(`"${name}", `) && text.includes("RESOLVE_NO_SYMLINKS"))).toBe(true);
  });

  test("writes limits before the clone and looks whether they are in force", () => {
    const calls = explained(compile(exampleLaunch())).filter(({ stage }) => stage === "cgroup").map(({ text }) => text);
    const wrote = calls.findIndex((text) => /^write\(.*memory\.max.*"67108864"/.test(text));
    const read = calls.findIndex((text, i) => i > wrote && text.startsWith("read("));
    expect(wrote).toBeGreaterThan(0);
    expect(read).toBeGreaterThan(wrote);
    expect(calls[read + 1]).toBe(`find("67108864")`);
    expect(texts(compile(exampleLaunch())).find((text) => text.startsWith("clone3"))).toContain("CLONE_INTO_CGROUP");
  });

  test("makes no use of the environment or the directory of whoever compiles it", () => {
    const marked = { ...globalThis.process.env };
    globalThis.process.env["SAMPAN_TEST_SECRET"] = "host-secret-value";
    try {
      const plan = compile(exampleLaunch());
      expect(encodePlan(plan, "x64").includes("host-secret-value")).toBe(false);
      expect(texts(plan).find((text) => text.startsWith("execve"))).toEndWith(`["sh", "-c", "true"], ["PATH=/usr/bin:/bin", "HOME=/home/app"])`);
    } finally {
      globalThis.process.env = marked;
    }
  });

  test("looks the program up in the container's own PATH, in its order, and nowhere else", () => {
    const plan = change((config) => { process(config).env = ["PATH=/a:/b/:"]; });
    expect(inside(plan).filter(({ name }) => name === "execve").map(({ arguments: [file] }) => file?.text)).toEqual([`"/a/sh"`, `"/b/sh"`, `"./sh"`]);
    expect(inside(plan).slice(-4).map(({ text }) => text)).toEqual(["fail(EACCES)", "fail(EACCES)", "fail(EACCES)", "fail(ENOENT)"]);
    const direct = change((config) => { process(config).args = ["/bin/x", ""]; });
    expect(inside(direct).at(-1)?.text).toStartWith(`execve("/bin/x", ["/bin/x", ""], `);
  });

  test("says of each call why, and what to tell if it fails", () => {
    const plan = compile(exampleLaunch());
    for (const call of [...plan.outer.calls, ...plan.inner.calls]) {
      if (call.op === "skip") continue;
      expect([call.name, (call.options.why ?? "") !== ""]).toEqual([call.name, true]);
      if (call.op === "call" || call.op === "clone") expect([call.name, (call.options.what ?? "") !== ""]).toEqual([call.name, true]);
    }
  });

  test("is the same for the same launch", () => {
    expect(encodePlan(compile(exampleLaunch()), "x64").equals(encodePlan(compile(exampleLaunch()), "x64"))).toBe(true);
  });
});

describe("each wish of a config is in its plan", () => {
  test.each<[string, (config: RuntimeConfig) => void, RegExp]>([
    ["hostname", (c) => { c.hostname = "other"; }, /^sethostname\("other", 5\)/],
    ["domainname", (c) => { c.domainname = "example.org"; }, /^setdomainname\("example.org", 11\)/],
    ["root.readonly", (c) => { c.root = { path: "r", readonly: true }; }, /^mount_setattr\(.*"", AT_EMPTY_PATH, \{attr_set=MOUNT_ATTR_RDONLY\}/],
    ["oomScoreAdj", (c) => { process(c).oomScoreAdj = -500; }, /^write\(.*oom_score_adj.*"-500", 4\)/],
    ["noNewPrivileges", (c) => { process(c).noNewPrivileges = true; }, /^prctl\(PR_SET_NO_NEW_PRIVS, 1\)/],
    ["user", (c) => { process(c).user = { uid: 7, gid: 8 }; }, /^setresuid\(7, 7, 7\)/],
    ["group", (c) => { process(c).user = { uid: 7, gid: 8 }; }, /^setresgid\(8, 8, 8\)/],
    ["additionalGids", (c) => { process(c).user = { uid: 7, gid: 8, additionalGids: [1, 2, 3] }; }, /^setgroups\(3, \[1, 2, 3\]\)/],
    ["no group at all", (c) => { process(c).user = { uid: 7, gid: 8 }; }, /^setgroups\(0, \[\]\)/],
    ["umask", (c) => { process(c).user = { umask: 0o77 }; }, /^umask\(0077\)/],
    [
      "cwd",
      (c) => { process(c).cwd = "/srv/app"; },
      /^openat2\(.*"srv\/app", \{flags=O_DIRECTORY\|O_CLOEXEC\|O_PATH, resolve=RESOLVE_NO_MAGICLINKS\|RESOLVE_IN_ROOT\}/,
    ],
    ["rlimits", () => undefined, /^prlimit64\(0, RLIMIT_NOFILE, \{soft=1024, hard=4096\}, NULL\)/],
    [
      "unlimited rlimits",
      (c) => { process(c).rlimits = [{ type: "RLIMIT_CORE", soft: 0, hard: 2n ** 64n - 1n }]; },
      /RLIMIT_CORE, \{soft=0, hard=RLIM_INFINITY\}/,
    ],
    [
      "ambient capabilities",
      (c) => { process(c).capabilities = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"] }; },
      /^prctl\(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL\)/,
    ],
    ["a device", () => undefined, /^mknodat\([^,]+, "fuse", S_IFCHR\|0666, 10:229\)/],
    [
      "a device's owner",
      (c) => { linux(c).devices = [{ type: "c", path: "/dev/x", major: 1, minor: 300, uid: 5, gid: 6 }]; },
      /^fchownat\([^,]+, "x", 5, 6, AT_SYMLINK_NOFOLLOW\)/,
    ],
    ["a fifo", (c) => { linux(c).devices = [{ type: "p", path: "/dev/f", fileMode: 0o600 }]; }, /^mknodat\([^,]+, "f", S_IFIFO\|0600, 0:0\)/],
    [
      "large minors",
      (c) => { linux(c).devices = [{ type: "b", path: "/dev/x", major: 259, minor: 70_000 }]; },
      /^mknodat\([^,]+, "x", S_IFBLK\|0666, 259:70000\)/,
    ],
    ["sysctls", () => undefined, /^write\(.*ip_unprivileged_port_start.*"0", 1\)/],
    ["masked paths", () => undefined, /^openat2\([^,]+, "proc\/kcore"/],
    ["read-only paths", () => undefined, /^openat2\([^,]+, "proc\/irq"/],
    ["rootfsPropagation", (c) => { linux(c).rootfsPropagation = "rslave"; }, /^mount\(NULL, "\/", NULL, MS_REC\|MS_SLAVE, NULL\)/],
    ["a bind", () => undefined, /^open_tree\(AT_FDCWD, "\/srv\/data", OPEN_TREE_CLONE\|AT_RECURSIVE\|OPEN_TREE_CLOEXEC\)/],
    ["a read-only bind", () => undefined, /^mount_setattr\(srv\/data#\d+, "", AT_EMPTY_PATH, \{attr_set=MOUNT_ATTR_RDONLY\}/],
    [
      "a tmpfs with options",
      (c) => { c.mounts?.push({ destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=1777", "nosuid", "noexec"] }); },
      /^fsconfig\(tmpfs#\d+, FSCONFIG_SET_STRING, "size", "1m", 0\)/,
    ],
    [
      "joined namespaces",
      (c) => { linux(c).namespaces = [{ type: "mount" }, { type: "network", path: "/proc/7/ns/net" }]; },
      /^setns\(ns\/net#\d+, CLONE_NEWNET\)/,
    ],
    ["the host's pid namespace", (c) => { linux(c).namespaces = [{ type: "mount" }]; }, /^prctl\(PR_SET_DUMPABLE, 0/],
    [
      "another container's pid namespace",
      (c) => { linux(c).namespaces = [{ type: "mount" }, { type: "pid", path: "/proc/7/ns/pid" }]; },
      /^prctl\(PR_SET_DUMPABLE, 0/,
    ],
    ["a user namespace's mappings", (c) => { Object.assign(linux(c), {
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    }); linux(c).namespaces?.push({ type: "user" }); }, /^write\(uid_map#\d+, "0 100000 65536\\n", 15\)/],
    [
      "the terminal's size",
      (c) => { Object.assign(process(c), { terminal: true, consoleSize: { height: 50, width: 132 } }); },
      /^ioctl\(.*TIOCSWINSZ, \{rows=50, columns=132\}\)/,
    ],
  ])("%s", (_, edit, pattern) => {
    const plan = change(edit);
    expect(texts(plan).filter((text) => pattern.test(text))).not.toEqual([]);
    invariants(plan);
  });

  test("the namespaces that are asked for, and no others", () => {
    const flags = (types: readonly ("mount" | "pid" | "ipc" | "uts" | "network")[]): string =>
      texts(change((config) => { linux(config).namespaces = types.map((type) => ({ type })); })).find((text) => text.startsWith("clone3")) ?? "";
    expect(flags(["mount", "pid"])).toContain("flags=CLONE_PIDFD|CLONE_NEWNS|CLONE_NEWPID|CLONE_INTO_CGROUP,");
    expect(flags(["mount", "ipc", "uts", "network"])).toContain("flags=CLONE_PIDFD|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWNET|CLONE_INTO_CGROUP,");
  });

  test("exactly these capabilities, nothing inheritable, and all others out of the bounding set", () => {
    const plan = change((config) => {
      process(config).noNewPrivileges = true;
      process(config).capabilities = {
        bounding: defaultCapabilities(),
        effective: defaultCapabilities(),
        permitted: defaultCapabilities(),
        inheritable: [],
        ambient: [],
      };
    });
    const set = texts(plan).filter((text) => text.startsWith("capset"));
    expect(set).toHaveLength(1);
    const named = /effective=permitted=([A-Z_|]+), inheritable=0\}/.exec(set[0] ?? "")?.[1]?.split("|") ?? [];
    expect(named.toSorted()).toEqual(defaultCapabilities().toSorted());
    expect(named).toHaveLength(14);
    const dropped = texts(plan).flatMap((text) => /^prctl\(PR_CAPBSET_DROP, (\w+)\)/.exec(text)?.[1] ?? []);
    expect(new Set([...dropped, ...named]).size).toBe(41);
    expect(dropped).toHaveLength(27);
  });

  test("CAP_SYS_ADMIN goes last where a filter without no_new_privs needs it", () => {
    const set = inside(compile(exampleLaunch())).filter(({ name }) => name === "capset" || name === "seccomp").map(({ text }) => text);
    expect(set.map((text) => [text.split("(")[0], text.includes("CAP_SYS_ADMIN")])).toEqual([["capset", true], ["seccomp", false], ["capset", false]]);
  });

  test("init is between identity and program; without a monitor keel waits and the streams are its own", () => {
    const plan = compile(exampleLaunch({ init: true }));
    expect(first(inside(plan), /^init\(\)/)).toBe(first(inside(plan), /^execve/) - 1);
    const { monitor: _monitor, ...rest } = exampleLaunch();
    const bare = compile(rest);
    expect(explained(bare).filter(({ side }) => side === "outer").at(-1)?.text).toBe("wait()");
    expect(texts(bare).some((text) => text.startsWith("dup3"))).toBe(false);
  });

  test("older kernels get the root by mount(2), in a page of options at most", () => {
    const host = { ...exampleHost, kernel: [6, 1] as const };
    const plan = compile(exampleLaunch({ host }));
    expect(texts(plan).some((text) =>
      text.startsWith(`mount("overlay", "/run/sampan/containers/c/root", "overlay", 0, "lowerdir=/var/lib/sampan/layers/b:/var/lib/sampan/layers/a,upperdir=`))).toBe(true);
    const many = Array.from({ length: 200 }, (_, i) => `/var/lib/sampan/layers/${String(i).padStart(64, "0")}`);
    expect(() => compile(exampleLaunch({ host, root: { kind: "overlay", lowers: many, upper: "/u", work: "/w", volatile: false } }))).toThrow(SampanError);
    const odd = compile(exampleLaunch({ host, root: { kind: "overlay", lowers: ["/a:b,c\\d"], upper: "/u", work: "/w", volatile: false } }));
    expect(texts(odd).find((text) => text.startsWith(`mount("overlay"`))).toContain(JSON.stringify("lowerdir=/a\\:b\\,c\\\\d,").slice(1, -1));
  });
});

const path = fc.array(fc.constantFrom("a", "b", "etc", "proc", "..", ".", "dev", "sys", "run", "ü", "x y"), { minLength: 1, maxLength: 4 }).map((names) =>
  `/${names.join("/")}`);
const word = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !text.includes("\0"));
const id = fc.oneof(fc.constantFrom(0, 1, 1000, 65534, 4294967294), fc.nat(2 ** 31));

/** Configs that runtime-spec allows, likely or not. */
const anyConfig: fc.Arbitrary<RuntimeConfig> = fc.record({
  process: fc.record({
    args: fc.array(word, { minLength: 1, maxLength: 4 }).filter(([command]) => command !== ""),
    env: fc.array(word.map((value) => `V=${value}`), { maxLength: 4 }), cwd: path, terminal: fc.boolean(),
    user: fc.record({ uid: id, gid: id, additionalGids: fc.array(id, { maxLength: 5 }) }), noNewPrivileges: fc.boolean(),
    capabilities: fc.record({
      bounding: fc.subarray(defaultCapabilities()),
      effective: fc.subarray(defaultCapabilities()),
      permitted: fc.subarray(defaultCapabilities()),
      inheritable: fc.constant<string[]>([]),
      ambient: fc.constant<string[]>([]),
    }),
    rlimits: fc.uniqueArray(fc.constantFrom("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_STACK")).map((types) =>
      types.map((type) => ({ type, soft: 10, hard: 20 }))),
  }),
  hostname: word.filter((name) => name !== ""),
  mounts: fc.array(fc.oneof(
    path.map((destination) => ({ destination, type: "tmpfs", source: "tmpfs", options: ["nosuid", "size=4k"] })),
    fc.tuple(path, path, fc.subarray(["ro", "nosuid", "nodev", "noexec", "rprivate", "rslave", "rshared", "noatime", "rro"])).map((
      [destination, source, options],
    ) => ({ destination, type: "bind", source, options: ["rbind", ...options] })),
  ), { maxLength: 6 }),
  maskedPaths: fc.array(path, { maxLength: 4 }), readonlyPaths: fc.array(path, { maxLength: 4 }),
  devices: fc.array(fc.record({
    type: fc.constantFrom("c", "b", "u", "p"), path: path.map((place) => `/dev${place}`), major: fc.nat(4095), minor: fc.nat(1_048_575),
    fileMode: fc.nat(0o777), uid: id, gid: id,
  }), { maxLength: 3 }),
  namespaces: fc.subarray(["pid", "ipc", "uts", "network", "cgroup"] as const),
}).map(({ process: asked, hostname, mounts, maskedPaths, readonlyPaths, devices, namespaces }) => {
  const base = exampleConfig();
  return {
    ...base,
    process: asked,
    hostname,
    mounts: [...(base.mounts ?? []), ...mounts],
    linux: { namespaces: [{ type: "mount" as const }, ...namespaces.map((type) => ({ type }))], maskedPaths, readonlyPaths, devices },
  };
});

test("compiles whatever a config asks for, or says what is wrong with it, and keeps the invariants", () => {
  fc.assert(fc.property(anyConfig, fc.boolean(), fc.boolean(), (config, monitored, init) => {
    const { monitor: _monitor, ...rest } = exampleLaunch({ config, init });
    let plan: Plan;
    try {
      plan = compile(monitored ? { ...rest, monitor: exampleMonitor } : rest);
    } catch (error) {
      if (error instanceof SampanError) return; // a sentence for the person
      throw error;
    }
    invariants(plan);
    expect(encodePlan(plan, "x64").length).toBeGreaterThan(1000);
    expect(encodePlan(plan, "arm64").length).toBeGreaterThan(1000);
  }), { numRuns: 100 });
});
