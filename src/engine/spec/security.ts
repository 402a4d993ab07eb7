import { existsSync, readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { capabilitiesOfMask, capabilityNumber, defaultCapabilities } from "../../linux/capabilities.ts";
import type { RunRequest } from "../request.ts";

/** `--security-opt` values, sorted. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** "unconfined", "builtin", or a profile's JSON text. */
  readonly seccomp: string;
  readonly apparmor: string | undefined;
  readonly unconfinedPaths: boolean;
}

export function securityOptions(request: RunRequest): SecurityOptions {
  const result = {
    noNewPrivileges: false,
    seccomp: request.privileged ? "unconfined" : "builtin",
    apparmor: undefined as string | undefined,
    unconfinedPaths: false,
  };
  for (const option of request.securityOpt) {
    const equals = option.indexOf("=");
    const key = equals < 0 ? option : option.slice(0, equals);
    const value = equals < 0 ? "" : option.slice(equals + 1);
    if (key === "no-new-privileges") result.noNewPrivileges = value !== "false";
    else if (key === "seccomp") result.seccomp = value;
    else if (key === "apparmor") result.apparmor = value === "unconfined" ? undefined : value;
    else if (key === "systempaths") result.unconfinedPaths = value === "unconfined";
    else if (key !== "label") throw new SampanError("invalid", `invalid --security-opt: "${option}"`, { exitCode: 125 });
  }
  return result;
}

/** Throws "unsupported" for a profile that this host could not apply: to ignore it would run the program without what was asked for. */
export function checkAppArmor(request: RunRequest): void {
  const { apparmor } = securityOptions(request);
  if (apparmor === undefined) return;
  const file = "/sys/module/apparmor/parameters/enabled";
  const enabled = existsSync(file) && readFileSync(file, "utf8").startsWith("Y");
  throw new SampanError("unsupported", enabled
    ? `Cannot use AppArmor profile "${apparmor}": Sampan applies none; use --security-opt apparmor=unconfined`
    : `Cannot use AppArmor profile "${apparmor}": apparmor is not enabled on this host`, { exitCode: 125 });
}

/** All that there are for a container: what the engine itself may have, which in a container or a virtual machine can be less. */
export function hostCapabilities(): string[] {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return capabilitiesOfMask(BigInt(`0x${bounding}`));
}

/** Docker's rules for `--cap-add` and `--cap-drop`, either of which may say ALL. */
export function capabilitiesOf(request: RunRequest): string[] {
  if (request.privileged) return hostCapabilities();
  const add = request.capAdd.map(fullName);
  const drop = request.capDrop.map(fullName);
  const unknown = [...add, ...drop].filter((name) => name !== "ALL" && capabilityNumber(name) === undefined);
  if (unknown.length > 0)
    throw new SampanError("invalid", unknown.map((name) => `invalid capability: unknown capability: "${name}"`).join("\n"), { exitCode: 125 });
  // Where both say ALL, the one that adds counts, as with Docker.
  const base = add.includes("ALL") ? hostCapabilities() : drop.includes("ALL") ? [] : defaultCapabilities();
  const result = new Set(base.filter((name) => !drop.includes(name)));
  for (const name of add) if (name !== "ALL") result.add(name);
  return [...result];
}

/** "CAP_NET_ADMIN" for "net_admin" too, as Docker takes it. */
function fullName(name: string): string {
  const upper = name.toUpperCase();
  return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}
