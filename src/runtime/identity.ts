import { SampanError } from "../base/errors.ts";
import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import type { Capabilities, Process } from "../oci/index.ts";
import { capabilityMask } from "../linux/capabilities.ts";
import * as C from "../linux/constants.ts";

const CAP_SYS_ADMIN = 1n << 21n;

/** The resources of setrlimit(2), in their numbers on x86-64 and arm64. */
const RLIMITS = [
  "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
];

/** The number of a resource ("RLIMIT_NOFILE" → 7); undefined for a name that is none. */
export function rlimitNumber(name: string): number | undefined {
  const index = RLIMITS.indexOf(name);
  return index < 0 ? undefined : index;
}

/** -1 and 2^64 − 1 (which a double cannot say exactly) mean "unlimited". */
function limitValue(value: number | bigint): bigint {
  if (typeof value === "bigint") return value;
  return value < 0 || value >= 2 ** 64 ? 0xffffffffffffffffn : BigInt(Math.trunc(value));
}

/** Last before the identity, which needs no further descriptor: keel may hold more of them than the program may have. */
export function addRlimits(line: Line, process: Process, where: string): void {
  for (const { type, soft, hard } of process.rlimits ?? []) {
    const number = rlimitNumber(type);
    if (number === undefined) throw new SampanError("invalid", `Cannot set limit "${type}" ${where}: no such resource`);
    line.call("prlimit64", [0, number, new Block(16, "struct rlimit64").u64(0, limitValue(soft)).u64(8, limitValue(hard)), null], {
      what: `set limit "${type}" to ${soft}:${hard} ${where}`, why: "process.rlimits",
    });
  }
}

function capset(line: Line, sets: { effective: bigint; permitted: bigint; inheritable: bigint }, what: string, why: string): void {
  const header = new Block(8, "struct __user_cap_header_struct").u32(0, C.LINUX_CAPABILITY_VERSION_3).u32(4, 0);
  const data = new Block(24, "struct __user_cap_data_struct[2]");
  [sets.effective, sets.permitted, sets.inheritable].forEach((set, i) => {
    data.u32(i * 4, Number(set & 0xffffffffn)).u32(12 + i * 4, Number(set >> 32n));
  });
  line.call("capset", [header, data], { what, why });
}

export interface IdentityOptions {
  readonly where: string;
  readonly seccomp: { readonly program: Uint8Array; readonly flags: number } | undefined;
  readonly lastCapability: number;
  /** The supplementary groups stay the caller's. */
  readonly keepGroups?: boolean;
  /** After the user has changed, while one capability to install the filter is left. */
  readonly beforeFilter: () => void;
  /** As the program's user with its capabilities, before the filter, which might not allow it. */
  readonly beforeSeccomp?: () => void;
  /** With the filter in force; what installing it returned, which with NEW_LISTENER is a descriptor. */
  readonly afterSeccomp?: (installed: Call) => void;
}

/** crun's annotation, which podman sets for `--group-add keep-groups`: files of a person's groups on the host stay theirs inside. */
export function keepsGroups(annotations: Readonly<Record<string, string>> | undefined): boolean {
  return annotations?.["run.oci.keep_original_groups"] === "1";
}

/**
 * User, groups, capabilities and seccomp, in the only order in which each step is still allowed:
 * bounding set (needs CAP_SETPCAP), groups and user with capabilities kept, then the filter. Without no_new_privs
 * a filter needs CAP_SYS_ADMIN, which therefore goes last; after the filter only capset and execve are called, so that a
 * profile need not allow more than those (seccomp(2)).
 */
export function addIdentity(line: Line, process: Process, options: IdentityOptions): void {
  const { where } = options;
  const what = `drop privileges ${where}`;
  const caps: Capabilities = process.capabilities ?? {};
  const bounding = capabilityMask(caps.bounding ?? []);
  for (let cap = 0; cap <= options.lastCapability; cap++)
    if ((bounding & (1n << BigInt(cap))) === 0n)
      line.call("prctl", [C.PR_CAPBSET_DROP, cap, 0, 0, 0], { what, why: "not even a set-user-ID program can have it again" });
  const { uid = 0, gid = 0, additionalGids = [] } = process.user ?? {};
  line.call("prctl", [C.PR_SET_KEEPCAPS, 1, 0, 0, 0], { what, why: "the change of user must not take what is still needed" });
  if (options.keepGroups !== true) {
    const groups = new Block(Math.max(additionalGids.length * 4, 4), "gid_t[]");
    additionalGids.forEach((group, i) => groups.u32(i * 4, group));
    line.call("setgroups", [additionalGids.length, groups], { what: `set the groups ${where}`, why: "supplementary groups: these and no others" });
  }
  line.call("setresgid", [gid, gid, gid], { what: `become group ${gid} ${where}`, why: "real, effective and saved" });
  line.call("setresuid", [uid, uid, uid], { what: `become user ${uid} ${where}`, why: "real, effective and saved" });
  const permitted = capabilityMask(caps.permitted ?? []);
  const effective = capabilityMask(caps.effective ?? []);
  const inheritable = capabilityMask(caps.inheritable ?? []);
  const last = options.seccomp && !process.noNewPrivileges ? CAP_SYS_ADMIN : 0n;
  options.beforeFilter();
  capset(
    line,
    { effective: effective | last, permitted: permitted | last, inheritable },
    what,
    last ? "all but the one that the filter needs" : "exactly these, and nothing inheritable unless asked",
  );
  for (const [name, mask] of (caps.ambient ?? []).map((cap) => [cap, capabilityMask([cap])] as const))
    line.call("prctl", [C.PR_CAP_AMBIENT, C.PR_CAP_AMBIENT_RAISE, mask.toString(2).length - 1, 0, 0], {
      what: `raise ambient ${name} ${where}`,
      why: "process.capabilities.ambient",
    });
  if (process.noNewPrivileges)
    line.call("prctl", [C.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], { what, why: "no program can gain privileges by execve" });
  options.beforeSeccomp?.();
  if (options.seccomp) {
    const program = new Block(16, "struct sock_fprog").u16(0, options.seccomp.program.length / 8).pointer(8, options.seccomp.program);
    const installed = line.call("seccomp", [C.SECCOMP_SET_MODE_FILTER, options.seccomp.flags, program], {
      what: `install the seccomp filter ${where}`, why: `${options.seccomp.program.length / 8} instructions of BPF decide about every system call from here on`,
    });
    options.afterSeccomp?.(installed);
    if (last && ((effective | permitted) & last) === 0n)
      capset(line, { effective, permitted, inheritable }, what, "the last capability goes");
  }
}
