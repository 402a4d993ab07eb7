import { SampanError } from "../base/errors.ts";
import type { NamespaceType } from "../oci/index.ts";
import type { Call } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context } from "./context.ts";
import { openInRoot } from "./resolve.ts";

/** Through the procfs that this plan itself mounted: a fake /proc in the image is never written to (CVE-2025-52881). */
export function addSysctls(context: Context, proc: Call | undefined): void {
  const { inner, config, where } = context;
  for (const [name, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const what = `set sysctl "${name}" ${where}`;
    if (!proc) throw new SampanError("invalid", `Cannot ${what}: the container has no /proc of its own`);
    const file = openInRoot(inner, proc, `sys/${sysctlPath(name)}`, {
      flags: C.O_WRONLY, resolve: C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_XDEV, what, why: "linux.sysctl",
    });
    inner.call("write", [file, value, Buffer.byteLength(value)], { what, why: `= ${value}` });
    inner.call("close", [file], { what, why: "done with it" });
  }
}

const IPC_NAMES = [
  "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

/** "net.ipv4.conf.eth0/100.forwarding" and "net/ipv4/conf/eth0.100/forwarding" are the same file (sysctl(8)): its path beneath /proc/sys. */
export function sysctlPath(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  if (separator !== ".") return name;
  return name.replace(/[./]/g, (character) => (character === "." ? "/" : "."));
}

/** Why a sysctl may not be set for a container with these namespaces; undefined if it may. Others are the whole host's. */
export function sysctlProblem(name: string, namespaces: ReadonlyMap<NamespaceType, string | undefined>): string | undefined {
  const path = sysctlPath(name);
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) return "is no name of a sysctl";
  const dotted = path.replaceAll("/", ".");
  const needs = (type: NamespaceType): string | undefined => (namespaces.has(type) ? undefined : `needs a ${type} namespace`);
  if (IPC_NAMES.includes(dotted) || path.startsWith("fs/mqueue/")) return needs("ipc");
  if (path.startsWith("net/")) return needs("network");
  if (dotted === "kernel.domainname") return needs("uts");
  if (dotted === "kernel.hostname") return "is set by the hostname field";
  return "is not of a namespace: it would change the host";
}
