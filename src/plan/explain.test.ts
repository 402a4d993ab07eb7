import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { examplePlan } from "../../test/support/launch.ts";
import * as C from "../linux/constants.ts";
import { deviceName, flagNames, modeName, valueName } from "../linux/flag-names.ts";
import { explainText, wrap } from "./explain-text.ts";
import { explainPlan } from "./explain.ts";
import { Block, Plan } from "./index.ts";
import { manualPage, readSignatures } from "./signatures.ts";

const lines = (plan: Plan): string[] => explainPlan(plan).flatMap(({ calls }) => calls.map(({ text }) => text));

describe("names of numbers", () => {
  test("are those of the constants that plans are made with", () => {
    const sets: Record<string, RegExp> = {
      open: /^O_(?!RDONLY)/, resolve: /^RESOLVE_/, at: /^AT_(?!FDCWD)/, clone: /^CLONE_/, mount: /^MS_/, mountAttr: /^MOUNT_ATTR_(?!_)/,
      moveMount: /^MOVE_MOUNT_/,
    };
    for (const [set, pattern] of Object.entries(sets)) {
      const known = Object.entries(C).filter(([name, value]) => pattern.test(name) && typeof value !== "function");
      expect(known.length).toBeGreaterThan(1);
      for (const [name, value] of known) expect(flagNames(set, value as number | bigint).split("|").at(-1)).toBe(name); // functions are filtered out
    }
    for (const [set, pattern] of [["prctl", /^PR_(?!CAP_AMBIENT_)/], ["fsconfig", /^FSCONFIG_/], ["ioctl", /^TIOC/]] as const)
      for (const [name, value] of Object.entries(C)) if (pattern.test(name)) expect(valueName(set, value as number)).toBe(name); // likewise
  });

  test("lose no bit", () => {
    fc.assert(fc.property(fc.constantFrom("open", "clone", "mount", "mountAttr", "resolve", "at"), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (
      set,
      value,
    ) => {
      const sum = flagNames(set, value).split("|").reduce(
        (bits, name) => bits | (name.startsWith("0x") || name === "0" ? BigInt(name) : name === "O_RDONLY" ? 0n : BigInt(bitsOf(set, name))),
        0n,
      );
      expect(sum).toBe(value);
    }));
  });

  test("of modes and devices", () => {
    expect([modeName(0o644), modeName(C.S_IFCHR | 0o666), modeName(0), modeName(0o1777), modeName(0o22)]).toEqual([
      "0644",
      "S_IFCHR|0666",
      "0",
      "01777",
      "0022",
    ]);
    fc.assert(fc.property(fc.nat(4095), fc.nat(1_048_575), (major, minor) => { expect(deviceName(C.makeDevice(major, minor))).toBe(`${major}:${minor}`); }));
    expect([flagNames("open", 0), flagNames("open", C.O_PATH), flagNames("mountAttr", 0)]).toEqual(["O_RDONLY", "O_PATH", "0"]);
  });
});

function bitsOf(set: string, name: string): bigint {
  for (let bit = 0n; bit < 64n; bit++) if (flagNames(set, 1n << bit).split("|").includes(name)) return 1n << bit;
  throw new Error(`no bit of ${set} is called ${name}`);
}

describe("a plan in words", () => {
  const plan = examplePlan();

  test("knows the parameters of every call that it has", () => {
    const signatures = readSignatures();
    for (const call of [...plan.outer.calls, ...plan.inner.calls]) {
      if (call.op !== "call" && call.op !== "clone") continue;
      expect([call.name, signatures.has(call.name)]).toEqual([call.name, true]);
      expect([call.name, call.args.length <= (signatures.get(call.name)?.length ?? 0)]).toEqual([call.name, true]);
    }
  });

  test.skipIf(!existsSync("/usr/share/man/man2/openat.2.gz"))("names pages that the manual has (skipped where Debian's manpages-dev is not installed)", () => {
    const later = new Set(["fsopen(2)", "fsconfig(2)", "fsmount(2)", "move_mount(2)", "open_tree(2)", "pivot_root(2)"]); // added to the manual after Debian 12
    for (const name of readSignatures().keys()) {
      const page = manualPage(name);
      const [, base = "", section = ""] = /^(\w+)\((\d)\)$/.exec(page) ?? [];
      expect([page, later.has(page) || existsSync(`/usr/share/man/man${section}/${base}.${section}.gz`)]).toEqual([page, true]);
    }
  });

  test("numbers calls as reports and messages do", () => {
    const numbers = explainPlan(plan).flatMap(({ calls }) => calls.map(({ number }) => number));
    expect(numbers).toEqual(Array.from({ length: plan.outer.calls.length + plan.inner.calls.length }, (_, i) => i));
  });

  test.each([
    ["structs by their fields", /^clone3\(\{flags=CLONE_PIDFD\|CLONE_NEWNS\|.*, pidfd=&pidfd, exit_signal=SIGCHLD, cgroup=sampan\/c#\d+\}, 88\)$/],
    ["what opened a descriptor", /^move_mount\(proc#\d+, "", proc#\d+, "", MOVE_MOUNT_F_EMPTY_PATH\|MOVE_MOUNT_T_EMPTY_PATH\)$/],
    ["ends of pipes", /^close\(pipe#\d+\.read\)$/],
    ["argv and envp", /^execve\("\/usr\/bin\/sh", \["sh", "-c", "true"\], \["PATH=\/usr\/bin:\/bin", "HOME=\/home\/app"\]\)$/],
    ["filters by their size", /^seccomp\(SECCOMP_SET_MODE_FILTER, 0, \{2 instructions\}\)$/],
    ["devices", /^mknodat\(dev#\d+|mknodat\(tmpfs#\d+, "null", S_IFCHR\|0666, 1:3\)$/],
    ["capability sets", /^capset\(\{version=_LINUX_CAPABILITY_VERSION_3, pid=0\}, \{effective=permitted=CAP_KILL\|CAP_SYS_ADMIN, inheritable=0\}\)$/],
    ["groups", /^setgroups\(2, \[10, 2000\]\)$/],
    ["AT_FDCWD", /^mkdirat\(AT_FDCWD, "[^"]+", 0755\)$/],
    ["the monitor", /^monitor\(\{pidfd=pidfd#\d+, pid=child#\d+, .*release=pipe#\d+\.write, .*log="\/var\/lib\/sampan\/containers\/c\/log", log_max=10000000, log_files=3, .*\}\)$/],
  ])("shows %s", (_, pattern) => { expect(lines(plan).filter((line) => pattern.test(line))).not.toEqual([]); });

  test("shows conditions, tolerated errnos, what must come, and where skips lead", () => {
    const small = new Plan();
    const opened = small.outer.call("openat", [C.AT_FDCWD, "/x", C.O_RDONLY, 0], { tolerate: ["ENOENT", "EACCES"], why: "to see" });
    small.outer.unless({ of: opened, is: { not: "ENOENT" } }, () => {
      small.outer.call("mkdirat", [C.AT_FDCWD, "/x", 0o755], { when: { of: opened, is: "failed" }, expect: 0 });
    });
    small.outer.call("read", [opened, new Block(8), 8], { waits: true, tolerate: "any" });
    const [a, skip, b, c] = explainPlan(small).flatMap(({ calls }) => calls);
    expect(a).toMatchObject({ tolerates: ["ENOENT", "EACCES"], condition: undefined, manual: "open(2)", depth: 0 });
    expect(skip).toMatchObject({ text: "skip(1 call, to #3)", condition: "unless #0 said ENOENT", manual: "keel" });
    expect(b).toMatchObject({ condition: "only if #0 failed", expects: 0, depth: 1 });
    expect(c).toMatchObject({ waits: true, tolerates: ["any errno"], depth: 0 });
  });

  test.each([40, 80, 100, 140])("fits into %i columns and has everything", (columns) => {
    const text = explainText(plan, { columns });
    expect(Math.max(...text.split("\n").map((line) => [...line].length))).toBeLessThanOrEqual(columns);
    const flat = text.replace(/\s+/g, "");
    for (const { calls } of explainPlan(plan)) for (const call of calls) {
      expect(flat).toContain(`#${call.number}${call.text}`.replace(/\s+/g, ""));
      expect(flat).toContain(call.why.replace(/\s+/g, ""));
    }
  });

  test("has colours only where it is asked for them, and they change nothing else", () => {
    const [plain, painted] = [explainText(plan, { columns: 100 }), explainText(plan, { columns: 100, colors: true })];
    expect(plain).not.toContain("\u001b");
    expect(painted).toContain("\u001b[");
    expect(Bun.stripANSI(painted)).toBe(plain);
  });

  test("puts a sign for the one id that fills every path", () => {
    const id = "0123456789abcdef".repeat(4);
    const named = new Plan();
    named.outer.call("chdir", [`/run/sampan/containers/${id}/root`], { why: "there" });
    expect(explainText(named, { columns: 100 })).toContain(`chdir("/run/sampan/containers/<id>/root")`);
    expect(explainText(named, { columns: 100 })).toContain(`<id> is`);
    named.outer.call("chdir", [`/${"f".repeat(64)}`]);
    expect(explainText(named, { columns: 200 })).toContain(id);
  });
});

test("wrapping loses no character and no line is too long", () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 50 }), (text, width) => {
    const wrapped = wrap(text, width);
    expect(wrapped.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    for (const line of wrapped) expect(line.length).toBeLessThanOrEqual(width);
  }));
});
