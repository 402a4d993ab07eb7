import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import type { Device, RuntimeConfig } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import { attach, cloneTree, newFilesystem } from "./mounts.ts";
import { makeInRoot, openInRoot } from "./resolve.ts";

/** Every container has these (runtime-spec config-linux.md "Default Devices"). */
const STANDARD: readonly (readonly [name: string, major: number, minor: number])[] = [
  ["null", 1, 3], ["zero", 1, 5], ["full", 1, 7], ["random", 1, 8], ["urandom", 1, 9], ["tty", 5, 0],
];

const LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"], ["stdin", "/proc/self/fd/0"], ["stdout", "/proc/self/fd/1"], ["stderr", "/proc/self/fd/2"], ["ptmx", "pts/ptmx"],
];

const TYPES: Record<string, number> = { c: C.S_IFCHR, u: C.S_IFCHR, b: C.S_IFBLK, p: C.S_IFIFO };

function wantedDevices(config: RuntimeConfig): Iterable<Device> {
  const wanted = new Map<string, Device>();
  for (const [name, major, minor] of STANDARD) wanted.set(`/dev/${name}`, { type: "c", path: `/dev/${name}`, major, minor, fileMode: 0o666, uid: 0, gid: 0 });
  for (const device of config.linux?.devices ?? []) wanted.set(device.path, device);
  return wanted.values();
}

/** mknod(2) takes no number for a FIFO. */
function nodeOf({ type, fileMode = 0o666, major = 0, minor = 0 }: Device): readonly [mode: number, number: number] {
  return [(TYPES[type] ?? C.S_IFCHR) | fileMode, type === "p" ? 0 : C.makeDevice(major, minor)];
}

/** The id outside of one inside; undefined for one that the namespace does not have. */
function outsideId(id: number, mappings: NonNullable<RuntimeConfig["linux"]>["uidMappings"]): number | undefined {
  const mapping = mappings?.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return mapping === undefined ? undefined : mapping.hostID + id - mapping.containerID;
}

/**
 * Nodes for a new user namespace, where mknod(2) is refused: made outside, on a filesystem that is attached nowhere, and owned by
 * whom the config says, through the mappings. Where the outside may not make them either (it is in such a namespace itself), an
 * owner is not mapped, or the kernel copies no mount that is attached nowhere (before Linux 6.15), the host's own node is taken.
 */
export function takeDeviceNodes(context: Context, line: Line): ReadonlyMap<string, Call> {
  const { config, where } = context;
  const why = "made outside: mknod is not allowed in a user namespace";
  const nodes = newFilesystem(line, "tmpfs", [["mode", "0755"]], C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NOEXEC, {
    what: `make device nodes ${where}`,
    why,
    source: "dev",
  });
  const taken = new Map<string, Call>();
  let serial = 0;
  for (const device of wantedDevices(config)) {
    const what = `make device "${device.path}" ${where}`;
    const name = String(serial++);
    const [mode, number] = nodeOf(device);
    const uid = outsideId(device.uid ?? 0, config.linux?.uidMappings);
    const gid = outsideId(device.gid ?? 0, config.linux?.gidMappings);
    const host = { what, why: "the host's own node" };
    if (uid === undefined || gid === undefined) {
      taken.set(device.path, cloneTree(line, C.AT_FDCWD, device.path, false, host));
      continue;
    }
    const made = line.call("mknodat", [nodes, name, mode, number], { what, why, tolerate: ["EPERM"] });
    line.unless({ of: made, is: "failed" }, () => {
      line.call("fchmodat", [nodes, name, mode & 0o7777], { what, why: "its mode, whatever the umask" });
      line.call("fchownat", [nodes, name, uid, gid, C.AT_SYMLINK_NOFOLLOW], { what, why: "its owner, as it is called outside" });
    });
    const own = cloneTree(line, nodes, name, false, { what, why: "a mount of this node alone", tolerate: ["ENOENT", "EINVAL"] });
    const found = cloneTree(line, C.AT_FDCWD, device.path, false, { ...host, when: { of: own, is: "failed" } });
    taken.set(device.path, line.pick(own, found, { what, why: "whichever there is" }));
  }
  return taken;
}

/**
 * Device nodes. In a user namespace mknod(2) is refused: there nodes made outside are bound, or the host's own.
 * `dev` is the root of a /dev that this plan itself made; undefined if the config brought another.
 */
export function addDevices(context: Context, root: Fd, dev: Fd | undefined, inUserNamespace: boolean): void {
  const { inner: line, config } = context;
  line.stage("devices");
  for (const device of wantedDevices(config)) {
    const what = `make device "${device.path}" ${context.where}`;
    const name = device.path.startsWith("/dev/") ? device.path.slice(5) : "";
    const simple = dev !== undefined && name !== "" && !name.includes("/");
    if (inUserNamespace) {
      const source = context.trees?.devices?.get(device.path) ?? cloneTree(line, C.AT_FDCWD, device.path, false, {
        what,
        why: "mknod is not allowed in a user namespace: the host's node is bound",
      });
      attach(line, source, makeInRoot(line, root, device.path, "file", { what, why: "a place for it" }), what);
      continue;
    }
    const [mode, number] = nodeOf(device);
    let parent: Fd = root;
    let base = name;
    if (simple) parent = dev;
    else {
      const parts = device.path.split("/").filter((part) => part !== "");
      base = parts.pop() ?? "";
      parent = parts.length === 0 ? root : makeInRoot(line, root, parts.join("/"), "directory", { what, why: "the directory of the node" });
    }
    const asked = config.linux?.devices?.includes(device) === true;
    const made = line.call("mknodat", [parent, base, mode, number], {
      what, why: `${device.type} ${device.major ?? 0}:${device.minor ?? 0}`, ...(simple ? {} : { tolerate: ["EEXIST"] as const }),
    });
    // What is there already may stay if it is that device (config-linux.md "Devices").
    if (!simple && asked) line.unless({ of: made, is: "ok" }, () => { checkNumber(line, parent, base, device, what); });
    if ((device.uid ?? 0) !== 0 || (device.gid ?? 0) !== 0)
      line.call("fchownat", [parent, base, device.uid ?? 0, device.gid ?? 0, C.AT_SYMLINK_NOFOLLOW], { what, why: "its owner" });
  }
  const parent = dev ?? openInRoot(line, root, "dev", { what: `open "/dev" ${context.where}`, why: "for its links", tolerate: ["ENOENT"] });
  for (const [name, target] of LINKS)
    line.call("symlinkat", [target, parent, name], {
      what: `make "/dev/${name}" ${context.where}`, why: target, ...(dev === undefined ? { tolerate: "any" as const } : { tolerate: ["EEXIST"] as const }),
    });
}

const STATX_BASIC_STATS = 0x7ff;

/** `struct statx` has the node's numbers at 128 and 132; a plain file has 0:0. */
function checkNumber(line: Line, parent: Fd, name: string, { major = 0, minor = 0 }: Device, what: string): void {
  const stat = new Block(256, "struct statx");
  const differs = `${what}: another file is there`;
  line.call("statx", [parent, name, C.AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, stat], { what, why: "what is there" });
  line.pick({ load32: stat, offset: 128 }, 0, { what: differs, expect: major });
  line.pick({ load32: stat, offset: 132 }, 0, { what: differs, expect: minor });
}
