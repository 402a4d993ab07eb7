import type { DeviceCgroupRule } from "../../oci/index.ts";
import type { DeviceException, DevicePolicy } from "../../linux/cgroup-bpf.ts";
import { accessMknod, accessRead, accessWrite } from "../../linux/cgroup-bpf.ts";

const everyAccess = accessRead | accessWrite | accessMknod;

/**
 * What a container may do with devices unless it is told otherwise: Docker's rules.
 * Any node may be made (mknod(2) alone gives no access); only the harmless ones may be opened.
 */
export function defaultDeviceRules(): DeviceCgroupRule[] {
  const allow = (type: string, major?: number, minor?: number, access = "rwm"): DeviceCgroupRule => ({
    allow: true,
    type,
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    access,
  });
  return [
    { allow: false, access: "rwm" },
    allow("c", undefined, undefined, "m"),
    allow("b", undefined, undefined, "m"),
    allow("c", 1, 3), // null
    allow("c", 1, 5), // zero
    allow("c", 1, 7), // full
    allow("c", 1, 8), // random
    allow("c", 1, 9), // urandom
    allow("c", 5, 0), // tty
    allow("c", 5, 1), // console
    allow("c", 5, 2), // ptmx
    allow("c", 136), // pts/*
  ];
}

function parseAccess(access: string | undefined): number | undefined {
  // The runtime-spec leaves a missing access open; "everything" is what a rule without restriction says.
  if (access === undefined || access === "") return everyAccess;
  let bits = 0;
  for (const letter of access) {
    const bit = letter === "r" ? accessRead : letter === "w" ? accessWrite : letter === "m" ? accessMknod : 0;
    if (bit === 0) return undefined;
    bits |= bit;
  }
  return bits;
}

/** "c 1:3 rwm", as devices.allow takes it and devices.list shows it. */
export function formatException(exception: DeviceException): string {
  const number = (value: number | undefined): string => (value === undefined ? "*" : String(value));
  const access =
    (exception.access & accessRead ? "r" : "") + (exception.access & accessWrite ? "w" : "") + (exception.access & accessMknod ? "m" : "");
  return `${exception.type} ${number(exception.major)}:${number(exception.minor)} ${access}`;
}

function overlaps(a: DeviceException, b: DeviceException): boolean {
  const meets = (x: number | undefined, y: number | undefined): boolean => x === undefined || y === undefined || x === y;
  return a.type === b.type && meets(a.major, b.major) && meets(a.minor, b.minor) && (a.access & b.access) !== 0;
}

/**
 * The rules, applied in order, as one default and its exceptions: what the v1 device controller keeps
 * (security/device_cgroup.c), so that v1 and v2 give the same verdicts.
 *
 * That form cannot hold a hole in an exception ("allow c 1:*, deny c 1:3"): the kernel would take the second rule
 * and do nothing. Such rules, and malformed ones, come back as problems.
 */
export function devicePolicy(rules: readonly DeviceCgroupRule[]): { policy: DevicePolicy; problems: string[] } {
  const problems: string[] = [];
  let defaultAllow = true;
  const exceptions = new Map<string, DeviceException>();

  const apply = (allow: boolean, wanted: DeviceException): void => {
    const key = `${wanted.type} ${wanted.major ?? "*"}:${wanted.minor ?? "*"}`;
    const existing = exceptions.get(key);
    if (allow !== defaultAllow) {
      exceptions.set(key, { ...wanted, access: wanted.access | (existing?.access ?? 0) });
      return;
    }
    for (const [otherKey, other] of exceptions) {
      if (otherKey === key || !overlaps(other, wanted)) continue;
      const [verb, opposite] = allow ? ["allow", "denied"] : ["deny", "allowed"];
      problems.push(`Cannot ${verb} devices "${formatException(wanted)}": an earlier rule ${opposite} "${formatException(other)}", and Linux cannot make an exception to an exception`);
    }
    if (existing === undefined) return;
    const access = existing.access & ~wanted.access;
    if (access === 0) exceptions.delete(key);
    else exceptions.set(key, { ...existing, access });
  };

  for (const rule of rules) {
    const type = rule.type === undefined || rule.type === "" ? "a" : rule.type;
    const access = parseAccess(rule.access);
    const shown = `${type} ${rule.major ?? "*"}:${rule.minor ?? "*"} ${rule.access ?? ""}`.trimEnd();
    if (type !== "a" && type !== "b" && type !== "c") {
      problems.push(`Cannot use device rule "${shown}": the type must be a, b or c`);
      continue;
    }
    if (access === undefined) {
      problems.push(`Cannot use device rule "${shown}": access is made of r, w and m`);
      continue;
    }
    // runc and Docker write a wildcard as -1.
    const major = rule.major === undefined || rule.major === -1 ? undefined : rule.major;
    const minor = rule.minor === undefined || rule.minor === -1 ? undefined : rule.minor;
    if ([major, minor].some((value) => value !== undefined && !(Number.isInteger(value) && value >= 0 && value < 0xffff_ffff))) {
      problems.push(`Cannot use device rule "${shown}": device numbers are whole and not negative`);
      continue;
    }
    if (type === "a" && major === undefined && minor === undefined && access === everyAccess) {
      defaultAllow = rule.allow;
      exceptions.clear();
      continue;
    }
    // "a" with a restriction: the kernel would ignore the restriction, so it is said for both kinds instead.
    const types = type === "a" ? (["c", "b"] as const) : ([type] as const);
    for (const each of types) {
      apply(rule.allow, { type: each, access, ...(major === undefined ? {} : { major }), ...(minor === undefined ? {} : { minor }) });
    }
  }
  return { policy: { defaultAllow, exceptions: [...exceptions.values()] }, problems };
}
