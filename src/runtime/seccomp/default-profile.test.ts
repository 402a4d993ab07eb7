import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Arch } from "../../linux/arch.ts";
import { AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from "../../linux/bpf.ts";
import { allCapabilities, defaultCapabilities } from "../../linux/capabilities.ts";
import { type SeccompArch, syscallTable, X32_SYSCALL_BIT } from "../../linux/syscalls.ts";
import type { Seccomp, SeccompRule } from "../../oci/runtime-config.ts";
import { compileSeccomp } from "./compile.ts";
import { type DefaultProfileOptions, defaultSeccompProfile } from "./default-profile.ts";
import { BpfInterpreter } from "./interpreter.ts";
import { NaiveProfile } from "./naive.ts";

interface DockerRule extends SeccompRule {
  includes?: { caps?: string[]; arches?: string[]; minKernel?: string };
  excludes?: { caps?: string[]; arches?: string[] };
}
// The reference data that lies beside a developer's checkout; its shape is Docker's published format.
const dockerFile = `${import.meta.dir}/../../../../shared/data/docker/seccomp-default.json`;
const readDocker = (): { syscalls: DockerRule[] } => JSON.parse(readFileSync(dockerFile, "utf8")) as { syscalls: DockerRule[] };
const hasReference = (() => {
  try {
    readFileSync(dockerFile);
    return true;
  } catch {
    console.log(`skipped: no copy of Docker's default profile at ${dockerFile}`);
    return false;
  }
})();

const audit: Record<SeccompArch, number> = {
  x64: AUDIT_ARCH_X86_64,
  x32: AUDIT_ARCH_X86_64,
  i386: AUDIT_ARCH_I386,
  arm64: AUDIT_ARCH_AARCH64,
  arm: AUDIT_ARCH_ARM,
};
const abisOf = { x64: ["x64", "x32", "i386"], arm64: ["arm64", "arm"] } as const;

/** Docker's profile worked out by hand, sharing no code with the resolver under test. */
function dockerProfile(arch: Arch, caps: readonly string[], isOldKernel: boolean): Seccomp {
  const goArch = arch === "x64" ? "amd64" : "arm64";
  const syscalls = readDocker().syscalls.filter(({ includes, excludes }) => {
    if (excludes?.caps?.some((name) => caps.includes(name)) === true || excludes?.arches?.includes(goArch) === true) return false;
    if (includes?.minKernel !== undefined && isOldKernel) return false;
    if (includes?.arches !== undefined && !includes.arches.includes(goArch)) return false;
    return (includes?.caps ?? []).every((name) => caps.includes(name));
  });
  const architectures = arch === "x64" ? ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] : ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];
  return { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, architectures, syscalls };
}

const high = 1n << 32n;
const argumentSamples: Readonly<Record<string, readonly (readonly bigint[])[]>> = {
  socket: [...Array(70).keys()].flatMap((family) => [[BigInt(family)], [BigInt(family) + high]]).concat([[0xffff_ffffn], [-1n]]),
  socketcall: [...Array(22).keys()].map((call) => [BigInt(call), 0x7fff_0000n]),
  ipc: [...Array(26).keys()].map((call) => [BigInt(call), 1n]),
  personality: [0n, 8n, 0x20000n, 0x20008n, 0xffff_ffffn, -1n, 1n, 0x40000n, high, high + 8n].map((value) => [value]),
  clone: [0n, 0x11n, ...Array.from({ length: 40 }, (_, bit) => 1n << BigInt(bit))].map((flags) => [flags]),
  ioctl: [
    0x5401n, 0x5411n, 0x5412n, 0x5413n, 0x5414n, 0x541bn, 0x541cn, 0x541dn, 0x8004_5430n, -0x7ffb_abd0n, 0n, -1n, 0x5412n + high,
    0x541cn + high, 0x5412n - high,
  ].map(
    (command) => [0n, command],
  ),
};

/** Every call of every ABI where the two profiles' verdicts differ, as "abi name(argument)". */
function differences(arch: Arch, caps: readonly string[], kernel: string, options?: DefaultProfileOptions): string[] {
  const ours = new BpfInterpreter(compileSeccomp(defaultSeccompProfile(caps, arch, kernel, options), arch).program);
  const docker = new NaiveProfile(dockerProfile(arch, caps, kernel < "4.8"), arch);
  const found: string[] = [];
  for (const abi of abisOf[arch]) {
    const names = new Map([...syscallTable(abi)].map(([name, number]) => [number, name]));
    const base = abi === "x32" ? X32_SYSCALL_BIT : 0;
    const top = Math.max(...names.keys());
    const numbers = new Set([...names.keys(), ...Array.from({ length: 620 }, (_, index) => base + index), top + 1, base + 0x3fff_ffff]);
    for (const nr of numbers) {
      const name = names.get(nr);
      for (const args of argumentSamples[name ?? ""] ?? [[]]) {
        const mine = ours.run({ arch: audit[abi], nr, args }).result;
        const theirs = docker.verdict(abi, nr, name === undefined ? [] : [name], args);
        if (mine !== theirs)
          found.push(`${abi} ${name ?? nr}(${args.map((value) => `0x${BigInt.asUintN(64, value).toString(16)}`).join()}) ${describe(mine)}, not ${describe(theirs)}`);
      }
    }
  }
  return found;
}

function describe(result: number): string {
  if (result === SECCOMP_RET_ALLOW) return "ALLOW";
  return (result & 0xffff_0000) >>> 0 === SECCOMP_RET_ERRNO ? `ERRNO ${result & 0xffff}` : `0x${result.toString(16)}`;
}

/** What docs/decisions/seccomp.md lists, and nothing else. */
function isDeliberate(difference: string, administrator: boolean): boolean {
  if (/^i386 socketcall\(.*\) ERRNO 38, not ALLOW$/.test(difference)) return true;
  // Families from AF_MAX on, and the same with a bit above the 32 that the kernel reads.
  if (/^(x64|arm64) socket\(0x(2[ef]|[34]\w|1000000\w\w|f{8}|f{16})\) ERRNO 1, not ALLOW$/.test(difference)) return true;
  if (/^(x32|i386|arm) socket\(0x(2[ef]|[34]\w|1000000(2[ef]|[34]\w)|f{8}|f{16})\) ERRNO 1, not ALLOW$/.test(difference)) return true;
  return !administrator && /^\w+ ioctl\(0x0,0x(10000|f{8}0000)?541[2c]\) ERRNO 1, not ALLOW$/.test(difference);
}

const capabilitySets: readonly (readonly [string, readonly string[]])[] = [
  ["none", []],
  ["the default 14", defaultCapabilities()],
  ["all", allCapabilities()],
  ...allCapabilities().map((name): [string, readonly string[]] => [`the default and ${name}`, [...new Set([...defaultCapabilities(), name])]]),
];

for (const arch of ["x64", "arm64"] as const) {
  test.skipIf(!hasReference)(`${arch}: every call's verdict is Docker's but for the deliberate differences, whatever the capabilities`, () => {
    for (const [title, caps] of capabilitySets) {
      const found = differences(arch, caps, "6.1.0");
      const administrator = caps.includes("CAP_SYS_ADMIN");
      expect([title, found.filter((difference) => !isDeliberate(difference, administrator))]).toEqual([title, []]);
      // They are there, too: an exception that never occurs would be a hole in this test.
      expect([title, found.some((difference) => difference.includes("socket(0x100000026) ERRNO 1, not ALLOW"))]).toEqual([title, true]);
      expect([title, found.some((difference) => difference.includes("ioctl(0x0,0x100005412)"))]).toEqual([title, !administrator]);
    }
  });

  test.skipIf(!hasReference)(`${arch}: before Linux 4.8 tracing is refused, as Docker does`, () => {
    expect(differences(arch, [], "4.4.0").filter((difference) => !isDeliberate(difference, false))).toEqual([]);
    const filter = (kernel: string): BpfInterpreter => new BpfInterpreter(compileSeccomp(defaultSeccompProfile([], arch, kernel), arch).program);
    const ptrace = { arch: audit[arch], nr: syscallTable(arch).get("ptrace") ?? -1 };
    expect(filter("4.7.9").run(ptrace).result).toBe(SECCOMP_RET_ERRNO | 1);
    expect(filter("4.8.0").run(ptrace).result).toBe(SECCOMP_RET_ALLOW);
  });
}

test.skipIf(!hasReference)("x64 with multiplexed sockets: socketcall is Docker's again", () => {
  const found = differences("x64", defaultCapabilities(), "6.1.0", { multiplexedSockets: true });
  expect(found.filter((difference) => difference.includes("socketcall"))).toEqual([]);
});

test("attack surface: refused on every ABI with the default capabilities", () => {
  for (const arch of ["x64", "arm64"] as const) {
    const filter = new BpfInterpreter(compileSeccomp(defaultSeccompProfile(defaultCapabilities(), arch), arch).program);
    for (const abi of abisOf[arch]) {
      const verdict = (name: string, ...args: bigint[]): number | undefined => {
        const nr = syscallTable(abi).get(name);
        return nr === undefined ? undefined : filter.run({ arch: audit[abi], nr, args }).result;
      };
      for (const name of [
        "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key", "userfaultfd", "bpf", "mount",
        "unshare", "setns", "kexec_load", "perf_event_open", "open_by_handle_at",
      ]) {
        expect([abi, name, verdict(name)]).toEqual([abi, name, SECCOMP_RET_ERRNO | 1]);
      }
      expect([abi, verdict("clone3")]).toEqual([abi, SECCOMP_RET_ERRNO | 38]);
      for (const family of [38n, 40n, 38n + high, 40n + high, 40n - high]) {
        expect([abi, family, verdict("socket", family, 5n)]).toEqual([abi, family, SECCOMP_RET_ERRNO | 1]);
      }
      for (const family of [1n, 2n, 10n, 16n, 17n, 44n]) expect([abi, family, verdict("socket", family)]).toEqual([abi, family, SECCOMP_RET_ALLOW]);
      for (const command of [0x5412n, 0x541cn, 0x5412n + high, 0x5412n - high]) {
        expect([abi, command, verdict("ioctl", 0n, command)]).toEqual([abi, command, SECCOMP_RET_ERRNO | 1]);
      }
      // As musl passes TIOCGPTN: sign-extended.
      expect([abi, verdict("ioctl", 0n, -0x7ffb_abd0n)]).toEqual([abi, SECCOMP_RET_ALLOW]);
    }
  }
});

test("the default profile goes into JSON and fits the kernel with room", () => {
  const profile = defaultSeccompProfile(allCapabilities(), "x64");
  expect(JSON.parse(JSON.stringify(profile))).toEqual(profile);
  expect(compileSeccomp(profile, "x64").unknown).toEqual([]);
  for (const caps of [[], defaultCapabilities(), allCapabilities()]) {
    expect(compileSeccomp(defaultSeccompProfile(caps, "x64"), "x64").program.length / 8).toBeLessThan(400);
    expect(compileSeccomp(defaultSeccompProfile(caps, "arm64"), "arm64").program.length / 8).toBeLessThan(400);
  }
});

test("common calls take no argument, so that the kernel remembers them, and few steps", () => {
  const filter = new BpfInterpreter(compileSeccomp(defaultSeccompProfile(defaultCapabilities(), "x64"), "x64").program);
  const table = syscallTable("x64");
  let slowest = 0;
  for (const [name, nr] of table) {
    const { steps, usesArguments } = filter.run({ arch: AUDIT_ARCH_X86_64, nr });
    slowest = Math.max(slowest, steps);
    expect([name, usesArguments]).toEqual([name, ["clone", "ioctl", "personality", "socket"].includes(name)]);
  }
  expect(slowest).toBeLessThanOrEqual(20);
});
