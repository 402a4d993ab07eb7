import { Block } from "../plan/index.ts";
import type { Mount } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";
import { makeInRoot, openInRoot } from "./resolve.ts";

/**
 * The container's view of its control groups. With v2 one filesystem; with v1 a directory with one per hierarchy. In
 * a cgroup namespace each shows the container's own group as its root.
 */
export function addCgroupView(context: Context, mount: Mount, root: Fd): void {
  const { inner, host, where } = context;
  const what = `mount "${mount.destination}" ${where}`;
  const attributes = C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NODEV | C.MOUNT_ATTR_NOEXEC | C.MOUNT_ATTR_RDONLY;
  const writable = !(mount.options ?? []).includes("ro");
  const flags = writable ? attributes & ~C.MOUNT_ATTR_RDONLY : attributes;
  const target = makeInRoot(inner, root, mount.destination, "directory", { what, why: "where cgroups are looked for" });
  const only = host.cgroupMounts.length === 1 ? host.cgroupMounts[0] : undefined;
  if (only?.version === 2) {
    attach(inner, newFilesystem(inner, "cgroup2", [], flags, { what, why: "the container's own group as root", source: "cgroup" }), target, what);
    return;
  }
  const base = newFilesystem(inner, "tmpfs", [["mode", "755"]], flags & ~C.MOUNT_ATTR_RDONLY, { what, why: "a directory per hierarchy", source: "cgroup" });
  attach(inner, base, target, what); // first: before Linux 6.15 nothing can be mounted on a mount that is not attached itself
  for (const { version, name, option, directory } of host.cgroupMounts) {
    inner.call("mkdirat", [base, name, 0o755], { what: `${what}: ${name}`, why: "a hierarchy" });
    const place = openInRoot(inner, base, name, { what: `${what}: ${name}`, why: "in a filesystem that is ours alone" });
    if (directory !== undefined) {
      const own = cloneTree(inner, C.AT_FDCWD, directory, false, {
        what: `${what}: ${name}`,
        why: "without a cgroup namespace: the container's own group, bound",
      });
      setAttributes(inner, own, { set: flags }, false, { what: `${what}: ${name}`, why: "its flags" });
      attach(inner, own, place, `${what}: ${name}`);
      continue;
    }
    const options: [string, string?][] = version === 2
      ? []
      : option.startsWith("name=") ? [["none"], ["name", option.slice(5)]]
      : option.split(",").map((word): [string] => [word]);
    const view = newFilesystem(inner, version === 2 ? "cgroup2" : "cgroup", options, flags, {
      what: `${what}: ${name}`,
      why: `cgroup v${version} ${name}`,
      source: "cgroup",
    });
    attach(inner, view, place, `${what}: ${name}`);
  }
  if (!writable) {
    const attr = new Block(32, "struct mount_attr").u64(0, C.MOUNT_ATTR_RDONLY);
    inner.call("mount_setattr", [base, "", C.AT_EMPTY_PATH, attr, 32], { what, why: "read-only now that its directories are made" });
  }
}
