import * as C from "./constants.ts";

/**
 * mount(8) options that are flags of the mount, not data for the filesystem, and what they do to a mount's attributes
 * (mount_setattr(2)). A leading "r" with a known name applies to the whole tree (runtime-spec config.md "Mount options").
 */
const ATTRIBUTES: Record<string, { set: number; clear: number }> = {
  ro: { set: C.MOUNT_ATTR_RDONLY, clear: 0 },
  rw: { set: 0, clear: C.MOUNT_ATTR_RDONLY },
  nosuid: { set: C.MOUNT_ATTR_NOSUID, clear: 0 },
  suid: { set: 0, clear: C.MOUNT_ATTR_NOSUID },
  nodev: { set: C.MOUNT_ATTR_NODEV, clear: 0 },
  dev: { set: 0, clear: C.MOUNT_ATTR_NODEV },
  noexec: { set: C.MOUNT_ATTR_NOEXEC, clear: 0 },
  exec: { set: 0, clear: C.MOUNT_ATTR_NOEXEC },
  noatime: { set: C.MOUNT_ATTR_NOATIME, clear: C.MOUNT_ATTR__ATIME },
  atime: { set: 0, clear: C.MOUNT_ATTR__ATIME },
  relatime: { set: 0, clear: C.MOUNT_ATTR__ATIME },
  norelatime: { set: 0, clear: C.MOUNT_ATTR__ATIME },
  strictatime: { set: C.MOUNT_ATTR_STRICTATIME, clear: C.MOUNT_ATTR__ATIME },
  nostrictatime: { set: 0, clear: C.MOUNT_ATTR__ATIME },
  nodiratime: { set: C.MOUNT_ATTR_NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: C.MOUNT_ATTR_NODIRATIME },
  nosymfollow: { set: C.MOUNT_ATTR_NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: C.MOUNT_ATTR_NOSYMFOLLOW },
};

const PROPAGATION: Record<string, number> = {
  private: C.MS_PRIVATE, slave: C.MS_SLAVE, shared: C.MS_SHARED, unbindable: C.MS_UNBINDABLE,
};

/** Options that only mount(8) or mount(2) know, and that say nothing to a mount that is about to be made. */
const IGNORED = new Set(["defaults", "async", "remount", "loud", "nomand", "mand", "auto", "noauto", "user", "nouser", "_netdev", "nofail"]);
/** Flags of the superblock: passed to the filesystem by fsconfig(2) as flags. */
const SUPERBLOCK = new Set(["sync", "dirsync", "lazytime", "nolazytime", "silent", "iversion", "noiversion"]);

export interface MountOptions {
  readonly bind: boolean;
  readonly recursiveBind: boolean;
  readonly attributes: { readonly set: number; readonly clear: number };
  readonly recursive: { readonly set: number; readonly clear: number };
  /** MS_PRIVATE and the like; 0 where none was asked for. */
  readonly propagation: number;
  readonly propagationRecursive: boolean;
  /** "idmap": this mount only; "ridmap": the tree. */
  readonly idmap: "" | "idmap" | "ridmap";
  readonly copyUp: boolean;
  /** What is left for the filesystem: "key=value" or a bare key. */
  readonly data: readonly string[];
}

function own<T>(table: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Sorts mount options by what they are about. Total: what is not known is the filesystem's to judge. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const result = {
    bind: false, recursiveBind: false, attributes: { set: 0, clear: 0 }, recursive: { set: 0, clear: 0 },
    propagation: 0, propagationRecursive: false, idmap: "" as MountOptions["idmap"], copyUp: false, data: [] as string[],
  };
  const apply = (to: { set: number; clear: number }, change: { set: number; clear: number }): void => {
    to.set = (to.set & ~change.clear) | change.set;
    to.clear |= change.clear;
    to.clear |= change.set & C.MOUNT_ATTR__ATIME ? C.MOUNT_ATTR__ATIME : 0;
  };
  for (const option of options) {
    const attribute = own(ATTRIBUTES, option);
    const recursive = option.startsWith("r") ? own(ATTRIBUTES, option.slice(1)) : undefined;
    if (option === "bind") result.bind = true;
    else if (option === "rbind") result.bind = result.recursiveBind = true;
    else if (attribute) apply(result.attributes, attribute);
    else if (own(PROPAGATION, option) !== undefined) result.propagation = own(PROPAGATION, option) ?? 0;
    else if (option.startsWith("r") && own(PROPAGATION, option.slice(1)) !== undefined) {
      result.propagation = own(PROPAGATION, option.slice(1)) ?? 0;
      result.propagationRecursive = true;
    } else if (recursive) apply(result.recursive, recursive);
    else if (option === "idmap" || option === "ridmap") result.idmap = option;
    else if (option === "tmpcopyup") result.copyUp = true;
    else if (SUPERBLOCK.has(option) || !IGNORED.has(option)) result.data.push(option);
  }
  return result;
}

/** Every option that is ours to understand; others go to the filesystem. */
export function mountOptionNames(): string[] {
  const attributes = Object.keys(ATTRIBUTES);
  const propagations = Object.keys(PROPAGATION);
  return [
    ...attributes, ...attributes.map((name) => `r${name}`), ...propagations, ...propagations.map((name) => `r${name}`), ...SUPERBLOCK,
    "bind", "rbind", "defaults", "idmap", "ridmap", "async", "mand", "nomand", "loud", "remount", "tmpcopyup",
  ].sort();
}
