import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";
import { openInRoot } from "./resolve.ts";

/**
 * Hides what a container must not read and freezes what it must not write. The cover for files is the host's own
 * /dev/null, taken before the container's /dev existed and so beyond the container's reach (CVE-2025-31133); every
 * place is resolved inside the root and covered by descriptor.
 */
export function addMasks(context: Context, root: Fd, hostNull: Fd | undefined): void {
  const { inner: line, config } = context;
  const masked = config.linux?.maskedPaths ?? [];
  const readonlyPaths = config.linux?.readonlyPaths ?? [];
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
  if (masked.length === 0 || hostNull === undefined) return;
  const empty = newFilesystem(line, "tmpfs", [["size", "0"], ["nr_inodes", "1"]], C.MOUNT_ATTR_RDONLY | C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NODEV | C.MOUNT_ATTR_NOEXEC, {
    what: `make the cover of masked directories ${context.where}`, why: "an empty directory that covers others", source: "tmpfs",
  });
  // Before Linux 6.15 only a mount that is attached can be copied; over the run directory nobody else will ever see it.
  const hidden = context.launch.mountPoint.replace(/\/[^/]+$/, "") || "/";
  const aside = line.call("openat", [C.AT_FDCWD, hidden, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
    what: `open "${hidden}" ${context.where}`, why: "a place on the side of the old root, which goes away with it",
  });
  attach(line, empty, aside, `make the cover of masked directories ${context.where}`);
  for (const path of masked) {
    const what = `mask "${path}" ${context.where}`;
    const target = openInRoot(line, root, path, { what, why: "if this kernel has it", tolerate: ["ENOENT", "ENOTDIR"] });
    line.unless({ of: target, is: "failed" }, () => {
      const cover = cloneTree(line, hostNull, "", false, { what, why: "the host's /dev/null" });
      const covered = line.call("move_mount", [cover, "", target, "", C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH], {
        what, why: "a file is covered by /dev/null; a directory refuses that (ENOTDIR)", tolerate: ["ENOTDIR", "EINVAL"],
      });
      line.unless({ of: covered, is: "ok" }, () => {
        const directory = cloneTree(line, empty, "", false, { what, why: "the empty directory once more" });
        attach(line, directory, target, what);
      });
    });
  }
}
