/**
 * Seccomp: which system calls a container's processes may make.
 *
 * Vocabulary: a *profile* is the OCI value (`linux.seccomp`); a *rule* gives some calls an action, perhaps under conditions on
 * their arguments; an *ABI* is a set of call numbers (x64, x32, i386; arm64, arm); a *program* is the classic BPF that the
 * kernel runs at every call; a *verdict* is what it says.
 *
 *     parseSeccompProfile / defaultSeccompProfile ──▶ Seccomp ──▶ compileSeccomp ──▶ bytes for seccomp(2)
 *
 * Invariants: everything here is pure; what a profile does not allow is not allowed; an ABI that a profile does not list
 * kills the process; the program is what runc and libseccomp would load, verdict by verdict (docs/decisions/seccomp.md has
 * the differences).
 */
export { type SeccompCacheInput, SECCOMP_CACHE_VERSION, seccompCacheKey } from "./cache-key.ts";
export { type CompiledSeccomp, compileSeccomp } from "./compile.ts";
export { type DefaultProfileOptions, defaultSeccompProfile } from "./default-profile.ts";
export { resolveDockerProfile } from "./docker-profile.ts";
export { parseSeccompProfile, type ProfileContext } from "./parse-profile.ts";
