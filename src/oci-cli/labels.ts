import { existsSync, readFileSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import type { Process, RuntimeConfig } from "../oci/index.ts";

function appArmorEnabled(): boolean {
  const file = "/sys/module/apparmor/parameters/enabled";
  return existsSync(file) && readFileSync(file, "utf8").startsWith("Y");
}

/** What the security module is to be told at execve. Throws where it is asked for and the kernel has none. */
export function processLabel({ apparmorProfile, selinuxLabel }: Process): { file: string; text: string } | undefined {
  if (apparmorProfile !== undefined && apparmorProfile !== "") {
    if (!appArmorEnabled()) throw new SampanError("unsupported", `Cannot use AppArmor profile "${apparmorProfile}": apparmor is not enabled on this host`);
    const file = existsSync("/proc/self/attr/apparmor/exec") ? "/proc/self/attr/apparmor/exec" : "/proc/self/attr/exec";
    return { file, text: `exec ${apparmorProfile}` };
  }
  if (selinuxLabel !== undefined && selinuxLabel !== "") {
    if (!existsSync("/sys/fs/selinux/enforce"))
      throw new SampanError("unsupported", `Cannot use SELinux label "${selinuxLabel}": selinux is not enabled on this host`);
    return { file: "/proc/self/attr/exec", text: selinuxLabel };
  }
  return undefined;
}

export function labelOf(config: RuntimeConfig): { file: string; text: string } | undefined {
  const label = config.linux?.mountLabel;
  if (label !== undefined && label !== "" && !existsSync("/sys/fs/selinux/enforce"))
    throw new SampanError("unsupported", `Cannot use mount label "${label}": selinux is not enabled on this host`);
  return config.process ? processLabel(config.process) : undefined;
}
