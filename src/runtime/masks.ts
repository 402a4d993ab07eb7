import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import type { MaskCover } from "./null-device.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";
import { openInRoot } from "./resolve.ts";

/**
 * Hides what a container must not read and freezes what it must not write. Every place is resolved
 * inside the root and covered by descriptor.
 */
export function addMasks(context: Context, root: Fd, nullDevice: MaskCover | undefined): void {
  const { inner: line, config } = context;
  const masked = [...new Set(config.linux?.maskedPaths ?? [])];
  const readonlyPaths = [...new Set(config.linux?.readonlyPaths ?? [])];
  line.stage("masked paths");
  for (const path of readonlyPaths) {
    const what = `make "${path}" read-only ${context.where}`;
    const target = openInRoot(line, root, path, { what, why: "if this kernel has it", tolerate: ["ENOENT", "ENOTDIR"] });
    line.unless({ of: target, is: "failed" }, () => {
      const copy = cloneTree(line, target, "", true, { what, why: "a mount of its own over itself" });
      setAttributes(line, copy, { set: C.MOUNT_ATTR_RDONLY }, true, { what, why: "and that one is read-only" });
      attach(line, copy, target, what);
    });
  }
  if (masked.length === 0 || nullDevice === undefined) return;
  const attributes = C.MOUNT_ATTR_RDONLY | C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NODEV | C.MOUNT_ATTR_NOEXEC;
  for (const path of masked) {
    const what = `mask "${path}" ${context.where}`;
    const target = openInRoot(line, root, path, { what, why: "if this kernel has it", tolerate: ["ENOENT", "ENOTDIR"] });
    line.unless({ of: target, is: "failed" }, () => {
      const cover = cloneTree(line, nullDevice.node, "", false, { what, why: nullDevice.isHosts ? "the host's /dev/null" : "the container's own /dev/null" });
      if (nullDevice.isHosts)
        setAttributes(line, cover, { set: C.MOUNT_ATTR_RDONLY }, false, { what, why: "its mode and owner are not to be changed through this" });
      const covered = line.call("move_mount", [cover, "", target, "", C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH], {
        what, why: "a file is covered by /dev/null; a directory refuses that (ENOTDIR)", tolerate: ["ENOTDIR", "EINVAL"],
      });
      line.unless({ of: covered, is: "ok" }, () => {
        // One for each: before Linux 6.15 a mount that is not attached cannot be copied.
        attach(line, newFilesystem(line, "tmpfs", [], attributes, { what, why: "an empty directory, read-only" }), target, what);
      });
    });
  }
}
