import { SampanError } from "../base/errors.ts";

/**
 * Capability names without their CAP_ prefix, the position being the bit number
 * (linux/capability.h; the last, CHECKPOINT_RESTORE, is of Linux 5.9).
 */
const NAMES =
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/** The highest bit that this table names; a newer kernel may have more (/proc/sys/kernel/cap_last_cap). */
export const LAST_CAPABILITY = 40;

/** All known capabilities, "CAP_CHOWN" first, in bit order. */
export function allCapabilities(): string[] {
  return NAMES.split(" ").map((name) => `CAP_${name}`);
}

/** The 14 that Docker gives a container by default (moby, oci/caps defaults), in bit order. */
export function defaultCapabilities(): string[] {
  return [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
  ];
}

/** The bit of a capability by its full name ("CAP_KILL" is 5), or undefined for a name that this table lacks. */
export function capabilityNumber(name: string): number | undefined {
  if (!name.startsWith("CAP_")) return undefined;
  const number = NAMES.split(" ").indexOf(name.slice(4));
  return number < 0 ? undefined : number;
}

/** The full name of a bit, or undefined above LAST_CAPABILITY. */
export function capabilityName(number: number): string | undefined {
  const name = NAMES.split(" ")[number];
  return name === undefined ? undefined : `CAP_${name}`;
}

/**
 * The 64-bit set with the bits of full names, as in /proc/<pid>/status (CapEff) and, split in two, in capset(2).
 * @throws SampanError `invalid` at a name that this table lacks
 */
export function capabilityMask(names: readonly string[]): bigint {
  const bits = NAMES.split(" ");
  let low = 0;
  let high = 0;
  for (const name of names) {
    const number = name.startsWith("CAP_") ? bits.indexOf(name.slice(4)) : -1;
    if (number < 0) throw unknownCapability(name);
    // Two plain numbers instead of a bigint per name: this runs five times per container start.
    if (number < 32) low |= 1 << number;
    else high |= 1 << (number - 32);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** The full names of the bits of a set, in bit order; bits above LAST_CAPABILITY have no name and are left out. */
export function capabilitiesOfMask(mask: bigint): string[] {
  return allCapabilities().filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n);
}

/**
 * A capability as people write it after --cap-add: any case, with or without the CAP_ prefix.
 * @returns the full name ("CAP_NET_ADMIN"), or "ALL"
 * @throws SampanError `invalid`
 */
export function parseCapability(text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (capabilityNumber(name) === undefined) throw unknownCapability(text);
  return name;
}

function unknownCapability(name: string): SampanError {
  return new SampanError("invalid", `Cannot use capability "${name}": no such capability`, {
    hint: "capabilities(7) lists them; the CAP_ prefix may be left out",
  });
}
