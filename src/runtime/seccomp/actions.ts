import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../linux/bpf.ts";

const EPERM = 1;

/**
 * The filter's result for an OCI action (runtime-spec config-linux.md, "seccomp").
 * `errnoRet` counts for ERRNO and TRACE only and is EPERM where absent, as in runc.
 * @returns undefined for an action that the specification does not know
 */
export function resultOf(action: string, errnoRet: number | undefined): number | undefined {
  switch (action) {
    case "SCMP_ACT_ALLOW":
      return SECCOMP_RET_ALLOW;
    case "SCMP_ACT_ERRNO":
      return SECCOMP_RET_ERRNO | ((errnoRet ?? EPERM) & SECCOMP_RET_DATA);
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return SECCOMP_RET_KILL_THREAD;
    case "SCMP_ACT_KILL_PROCESS":
      return SECCOMP_RET_KILL_PROCESS;
    case "SCMP_ACT_TRAP":
      return SECCOMP_RET_TRAP;
    case "SCMP_ACT_TRACE":
      return SECCOMP_RET_TRACE | ((errnoRet ?? EPERM) & SECCOMP_RET_DATA);
    case "SCMP_ACT_LOG":
      return SECCOMP_RET_LOG;
    case "SCMP_ACT_NOTIFY":
      return SECCOMP_RET_USER_NOTIF;
    default:
      return undefined;
  }
}

/**
 * Whether calls that the profile's author could not know may run: then nothing is gained by ENOSYS. A tracer answers
 * for itself (runc, libcontainer/seccomp/patchbpf).
 */
export function isPermissive(action: string): boolean {
  return action === "SCMP_ACT_ALLOW" || action === "SCMP_ACT_LOG" || action === "SCMP_ACT_TRACE";
}
