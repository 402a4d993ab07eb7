import type { Seccomp, SeccompArg, SeccompRule } from "../../oci/runtime-config.ts";
import type { Arch } from "../../linux/arch.ts";
import { ALWAYS, BY_ARCH, BY_CAPABILITY, TRACING } from "./default-calls.ts";
import { isKernelAtLeast } from "./kernel-version.ts";

export interface DefaultProfileOptions {
  /**
   * Allow i386's socketcall(2), whose arguments no filter can see: AF_ALG and AF_VSOCK sockets can then be had through it.
   * For images whose own architecture is 386: their C library makes all its sockets that way.
   */
  readonly multiplexedSockets?: boolean;
}

const EPERM = 1;
const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (linux/sched.h). */
const CLONE_NAMESPACES = 0x7e02_0000;

/** Types a character into the terminal as if its user had (ioctl_tty(2)). */
const TIOCSTI = 0x5412;
/** Pastes the console's selection, which comes to the same (ioctl_console(2)). */
const TIOCLINUX = 0x541c;

/** AF_MAX of Linux 6.18 is 46; families above are not made yet. */
const ADDRESS_FAMILIES = 46;
const AF_ALG = 38;
const AF_VSOCK = 40;

/**
 * The profile of containers that name none: Docker's default, with the differences that docs/decisions/seccomp.md explains.
 * Refused calls fail with EPERM; those above every call that the profile knows with ENOSYS (see compile.ts).
 *
 * @param capabilities the process's effective set, full names; a capability brings the calls that it is for
 * @param kernelVersion as uname(2) gives it ("6.1.0-13-amd64"); without it a kernel of today is assumed
 */
export function defaultSeccompProfile(
  capabilities: readonly string[],
  arch: Arch,
  kernelVersion?: string,
  options: DefaultProfileOptions = {},
): Seccomp {
  const isAdministrator = capabilities.includes("CAP_SYS_ADMIN");
  const allowed = [ALWAYS, BY_ARCH[arch]];
  if (kernelVersion === undefined || isKernelAtLeast(kernelVersion, 4, 8)) allowed.push(TRACING);
  for (const [capability, names] of BY_CAPABILITY) if (capabilities.includes(capability)) allowed.push(names);
  const syscalls = [allow(names(allowed.join(" "))), ...sockets(options.multiplexedSockets === true), ...personalities()];
  if (isAdministrator) {
    // With it the kernel allows both terminal tricks anyway (since 6.2 and 6.7 only with it).
    syscalls.push(allow(["ioctl"]));
  } else {
    syscalls.push(...terminalControl(), ...processes());
  }
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: arch === "x64" ? ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] : ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    syscalls,
  };
}

/** New namespaces would give a process all capabilities over them, and kernel code to attack that it else cannot reach. */
function processes(): SeccompRule[] {
  return [
    allow(["clone"], { index: 0, op: "SCMP_CMP_MASKED_EQ", value: CLONE_NAMESPACES, valueTwo: 0 }),
    // Its flags are in memory, unseen by a filter. At ENOSYS every C library goes back to clone; at EPERM it would give up.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  ];
}

/**
 * All families but AF_ALG (the kernel's cryptography, unused in containers and a source of holes: CVE-2026-31431) and AF_VSOCK (talks
 * to the hypervisor past every network namespace). The kernel reads 32 bits of the number: "any number above 40",
 * compared as 64 bits, would let 2^32 + 38 pass, so the families above are told one by one.
 */
function sockets(multiplexed: boolean): SeccompRule[] {
  const rules = [allow(["socket"], { index: 0, op: "SCMP_CMP_LT", value: AF_ALG })];
  for (let family = AF_ALG + 1; family < ADDRESS_FAMILIES; family++) {
    if (family !== AF_VSOCK) rules.push(allow(["socket"], { index: 0, op: "SCMP_CMP_EQ", value: family }));
  }
  // Without conditions, so that it also outweighs what the rules for socket say of socketcall (see multiplex.ts).
  rules.push(multiplexed ? allow(["socketcall"]) : { names: ["socketcall"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS });
  return rules;
}

/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question what it is; others switch off protections (personality(2)). */
function personalities(): SeccompRule[] {
  return [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff].map((value) => allow(["personality"], { index: 0, op: "SCMP_CMP_EQ", value }));
}

/**
 * ioctl but for the two commands that put words into a terminal's mouth: a terminal shared with the host would be
 * a way out. The kernel reads 32 bits of the command, and a plain "not equal" would compare 64 and be passed
 * by with a bit above set (CVE-2019-10063); so the allowed commands are told, as runs of numbers under a 32-bit mask.
 */
function terminalControl(): SeccompRule[] {
  const rules: SeccompRule[] = [];
  const addRun = (first: number, last: number): void => {
    for (let at = first; at <= last; ) {
      // The largest run that begins here, is aligned to its own size, and stays within.
      let size = 1;
      while (at % (size * 2) === 0 && at + size * 2 - 1 <= last) size *= 2;
      rules.push(allow(["ioctl"], { index: 1, op: "SCMP_CMP_MASKED_EQ", value: 0x1_0000_0000 - size, valueTwo: at }));
      at += size;
    }
  };
  addRun(0, TIOCSTI - 1);
  addRun(TIOCSTI + 1, TIOCLINUX - 1);
  addRun(TIOCLINUX + 1, 0xffff_ffff);
  return rules;
}

function allow(names: string[], ...args: SeccompArg[]): SeccompRule {
  return args.length === 0 ? { names, action: "SCMP_ACT_ALLOW" } : { names, action: "SCMP_ACT_ALLOW", args };
}

function names(text: string): string[] {
  return [...new Set(text.trim().split(/\s+/))];
}
