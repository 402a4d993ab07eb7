import { Block } from "../plan/index.ts";
import type { Call } from "../plan/index.ts";
import type { NamespaceType } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { CgroupFds } from "./cgroup-steps.ts";
import type { Context, Fd } from "./context.ts";

export const NAMESPACE_FLAGS: Record<NamespaceType, number> = {
  pid: C.CLONE_NEWPID, network: C.CLONE_NEWNET, mount: C.CLONE_NEWNS, ipc: C.CLONE_NEWIPC, uts: C.CLONE_NEWUTS,
  user: C.CLONE_NEWUSER, cgroup: C.CLONE_NEWCGROUP, time: C.CLONE_NEWTIME,
};

/** Names beneath /proc/self/ns where they are others; of pid and time, those that this process itself is in. */
const OWN_NAMES: Partial<Record<NamespaceType, string>> = { network: "net", mount: "mnt" };

/** The user namespace last: until then the host's privileges decide, whoever owns the others. */
const JOIN_ORDER: readonly NamespaceType[] = ["network", "ipc", "uts", "cgroup", "time", "pid", "user"];

export interface Joined {
  /** The mount namespace with a path: opened only, for the inner side to enter, so that the outer's paths stay the host's. */
  readonly mount: Call | undefined;
  /** Takes the outer side back to where it was, once the child is born. */
  readonly leave: () => void;
}

/**
 * Namespaces that exist already are entered before the clone, so that the child is born in them. With `comeBack` the outer side
 * can leave them again: hooks of the runtime's run in its own namespaces. Not from a user namespace, which nobody can leave.
 */
export function joinByPath(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>, comeBack: boolean): Joined {
  const { outer, where } = context;
  const joined = [...namespaces].flatMap(([type, path]) => (path === undefined ? [] : [[type, path] as const]));
  if (joined.length === 0) return { mount: undefined, leave: () => undefined };
  outer.stage("join namespaces");
  const open = (type: NamespaceType, path: string, why: string): Call =>
    outer.call("openat", [C.AT_FDCWD, path, C.O_RDONLY | C.O_CLOEXEC, 0], { what: `join the ${type} namespace "${path}" ${where}`, why });
  const opened = new Map(joined.map(([type, path]) => [type, open(type, path, "opened first: one that is joined may change what paths mean")]));
  const entered = JOIN_ORDER.filter((type) => opened.has(type));
  // In another time namespace a process's start, by which it is known later, reads otherwise: the outer side does not stay in one.
  const own = !opened.has("user")
    ? entered.filter((type) => comeBack || type === "time").map((type) => [
      type,
      open(type, `/proc/self/ns/${OWN_NAMES[type] ?? type}`, "the way back"),
    ] as const) : [];
  const enter = (type: NamespaceType, fd: Call, why: string): void => {
    outer.call("setns", [fd, NAMESPACE_FLAGS[type]], { what: `join the ${type} namespace "${namespaces.get(type) ?? ""}" ${where}`, why });
  };
  for (const type of entered) {
    const fd = opened.get(type);
    if (fd) enter(type, fd, "shared with another container or the host");
  }
  return { mount: opened.get("mount"), leave: () => { for (const [type, fd] of own) enter(type, fd, "back again: what follows out here is the runtime's"); } };
}

export function cloneChild(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>, cgroup: CgroupFds): { child: Call; pidfd: Fd } {
  const { outer, where } = context;
  outer.stage("clone");
  let flags = BigInt(C.CLONE_PIDFD);
  for (const [type, path] of namespaces)
    if (path === undefined && type !== "cgroup" && type !== "time") flags |= BigInt(NAMESPACE_FLAGS[type]);
  const pidfd = new Block(8, "int");
  const args = new Block(88, "struct clone_args").pointer(8, pidfd).u64(32, C.SIGCHLD);
  if (cgroup.directory) {
    flags |= C.CLONE_INTO_CGROUP;
    outer.patch(args, 80, cgroup.directory, "u64", { why: "the group to be born in" });
  }
  args.u64(0, flags);
  const child = outer.clone(args, 88, { what: `create the process ${where}`, why: "one process, born into all of its new namespaces" });
  return { child, pidfd: { load32: pidfd, offset: 0 } };
}

/** In a new user namespace, once the mapping is there. */
export function becomeRoot(context: Context): void {
  const { inner, where } = context;
  const what = `become root of the user namespace ${where}`;
  inner.call("setresgid", [0, 0, 0], { what, why: "the mapping's group 0" });
  inner.call("setresuid", [0, 0, 0], { what, why: "the mapping's user 0: files made from here on belong to it" });
}

export function setHostname(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>): void {
  const { inner, config, where } = context;
  if (!namespaces.has("uts") || namespaces.get("uts") !== undefined) return;
  inner.stage("names");
  if (config.hostname !== undefined)
    inner.call("sethostname", [config.hostname, Buffer.byteLength(config.hostname)], {
      what: `set the hostname "${config.hostname}" ${where}`,
      why: "hostname",
    });
  if (config.domainname !== undefined)
    inner.call("setdomainname", [config.domainname, Buffer.byteLength(config.domainname)], {
      what: `set the domain name "${config.domainname}" ${where}`,
      why: "domainname",
    });
}

/** uid_map and gid_map are written through the child's directory in /proc (user_namespaces(7)). */
export function mapUsers(context: Context, child: Call): void {
  const { outer, config, where } = context;
  const path = new Block(24, "path");
  path.bytes.set(new TextEncoder().encode("/proc/"));
  outer.patch(path, 6, child, "decimal", { why: "the child's pid" });
  const what = `map users ${where}`;
  const directory = outer.call("openat", [C.AT_FDCWD, path, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the child, by its directory in /proc" });
  const maps = [["uid_map", config.linux?.uidMappings], ["gid_map", config.linux?.gidMappings]] as const;
  for (const [name, mappings] of maps) {
    const text = (mappings ?? []).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
    const file = outer.call("openat", [directory, name, C.O_WRONLY | C.O_CLOEXEC, 0], { what, why: name });
    outer.call("write", [file, text, Buffer.byteLength(text)], { what, why: text.trim().replaceAll("\n", "; ") });
    outer.call("close", [file], { what, why: "done with it" });
  }
}
