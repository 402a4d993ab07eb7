import { expect, test } from "bun:test";
import { ProblemsError, SampanError } from "../../base/errors.ts";
import type { Seccomp } from "../../oci/runtime-config.ts";
import { compileSeccomp } from "./compile.ts";
import { parseSeccompProfile, type ProfileContext } from "./parse-profile.ts";

const context: ProfileContext = { where: "web.json", arch: "x64", capabilities: ["CAP_KILL"], kernelVersion: "6.1.0-13-amd64" };
const parse = (json: unknown, change: Partial<ProfileContext> = {}): Seccomp => parseSeccompProfile(JSON.stringify(json), { ...context, ...change });
const rulesOf = (rules: unknown[], change?: Partial<ProfileContext>): string[][] =>
  (parse({ defaultAction: "SCMP_ACT_ERRNO", syscalls: rules }, change).syscalls ?? []).map(({ names }) => names);

test("an OCI profile goes through unchanged", () => {
  const profile: Seccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    listenerPath: "/run/agent.sock",
    listenerMetadata: "m",
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args: [{ index: 0, value: 255, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }] },
    ],
  };
  expect(parse(profile)).toEqual(profile);
});

test("64-bit numbers keep every bit", () => {
  const text = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}';
  expect(parseSeccompProfile(text, context).syscalls?.[0]?.args?.[0]?.value).toBe(0xffff_ffff_ffff_ffffn);
});

test("archMap gives this machine's entry with its sub-architectures", () => {
  const json = {
    defaultAction: "SCMP_ACT_ERRNO",
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
      { architecture: "SCMP_ARCH_AARCH64", subArchitectures: null },
    ],
    syscalls: null,
  };
  expect(parse(json).architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  expect(parse(json, { arch: "arm64" }).architectures).toEqual(["SCMP_ARCH_AARCH64"]);
  expect(() => parse({ ...json, architectures: ["SCMP_ARCH_X86_64"] })).toThrow('both "architectures" and "archMap"');
});

test("includes demand everything, excludes are met by anything", () => {
  const rule = (name: string, filters: object): object => ({ names: [name], action: "SCMP_ACT_ALLOW", ...filters });
  const rules = [
    rule("one-cap", { includes: { caps: ["CAP_KILL"] } }),
    rule("both-caps", { includes: { caps: ["CAP_KILL", "CAP_CHOWN"] } }),
    rule("amd64", { includes: { arches: ["arm", "amd64"] } }),
    rule("arm64", { includes: { arches: ["arm64"] } }),
    rule("new", { includes: { minKernel: "6.1" } }),
    rule("newer", { includes: { minKernel: "6.2" } }),
    rule("without-kill", { excludes: { caps: ["CAP_CHOWN", "CAP_KILL"] } }),
    rule("without-chown", { excludes: { caps: ["CAP_CHOWN"], arches: ["s390"] } }),
    rule("not-amd64", { excludes: { arches: ["amd64"] } }),
    rule("none", { includes: {}, excludes: {} }),
    rule("null", { includes: null, excludes: null, args: null, comment: "" }),
    { name: "single", action: "SCMP_ACT_ALLOW" },
  ];
  expect(rulesOf(rules).flat()).toEqual(["one-cap", "amd64", "new", "without-chown", "none", "null", "single"]);
  expect(rulesOf(rules, { capabilities: ["CAP_KILL", "CAP_CHOWN"] }).flat()).toContain("both-caps");
  expect(rulesOf(rules, { arch: "arm64", kernelVersion: "6.10.1" }).flat()).toEqual(
    ["one-cap", "arm64", "new", "newer", "without-chown", "not-amd64", "none", "null", "single"],
  );
});

test("every mistake is named with its file and field, all at once", () => {
  const bad = {
    defaultAction: "SCMP_ACT_DENY",
    defaultErrnoRet: 70000,
    architectures: ["SCMP_ARCH_PDP11"],
    flags: ["SECCOMP_FILTER_FLAG_NONE"],
    syscalls: [
      { names: [], action: "SCMP_ACT_ALLOW" },
      { names: ["read"], action: "ALLOW", errnoRet: -1 },
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: [{ index: 6, value: 1.5, op: "SCMP_CMP_XX" }] },
      { names: ["write"], action: "SCMP_ACT_NOTIFY" },
    ],
  };
  let problems: readonly string[] = [];
  try {
    parse(bad);
  } catch (error) {
    if (error instanceof ProblemsError) problems = error.problems;
  }
  const start = 'Cannot use seccomp profile "web.json": ';
  expect(problems).toEqual(
    [
      'defaultAction "SCMP_ACT_DENY" is no seccomp action',
      "defaultErrnoRet 70000 is no errno: the kernel takes 0 to 4095",
      'architectures[0] "SCMP_ARCH_PDP11" is no architecture of the runtime specification',
      'flags[0] "SECCOMP_FILTER_FLAG_NONE" is no seccomp filter flag',
      "syscalls[0].names is empty",
      'syscalls[1].action "ALLOW" is no seccomp action',
      "syscalls[1].errnoRet -1 is no errno: the kernel takes 0 to 4095",
      "syscalls[2].args[0].index 6 is out of range: a system call has the arguments 0 to 5",
      'syscalls[2].args[0].op "SCMP_CMP_XX" is no comparison',
      "syscalls[2].args[0].value 1.5 is not an integer of 64 bits without sign",
      "syscalls[3]: SCMP_ACT_NOTIFY cannot be used for write, by which the listener is handed over",
    ].map((problem) => start + problem),
  );
});

test("files of another shape", () => {
  for (const [text, reason] of [
    ["{", "it is no JSON: "],
    ["[]", "it is no JSON object"],
    ["{}", "defaultAction \"\" is no seccomp action"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', "syscalls is no list"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[7]}', "syscalls[0] is no object"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":"read","action":"SCMP_ACT_LOG"}]}', "syscalls[0].names is no list"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[7],"action":"SCMP_ACT_LOG"}]}', "syscalls[0].names[0] is no string"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"name":"read","action":"SCMP_ACT_LOG"}]}', 'syscalls[0] has both "name" and "names"'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","includes":{"minKernel":"new"}}]}', 'minKernel "new"'],
    ['{"defaultAction":"SCMP_ACT_NOTIFY"}', "SCMP_ACT_NOTIFY cannot be the defaultAction"],
  ] as const) {
    let thrown: unknown;
    try {
      parseSeccompProfile(text, context);
    } catch (error) {
      thrown = error;
    }
    expect([text, thrown instanceof SampanError]).toEqual([text, true]);
    expect(String(thrown)).toContain(`Cannot use seccomp profile "web.json": `);
    expect(String(thrown)).toContain(reason);
  }
});

test("a rule that does not apply is still checked for its form, and a parsed profile compiles", () => {
  expect(() =>
    rulesOf([{ names: ["read"], action: "SCMP_ACT_ALLOW", args: [7], includes: { caps: ["CAP_BPF"] } }])).toThrow("syscalls[0].args[0] is no object");
  const profile = parse({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["read", "recv", "no_such_call"], action: "SCMP_ACT_ALLOW" }] });
  expect(compileSeccomp(profile, "x64", "web.json").unknown).toEqual(["recv", "no_such_call"]);
});
