import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import { newFilesystem } from "./mounts.ts";
import { openInRoot } from "./resolve.ts";

/*
 * Who holds a descriptor or a mount of the host's /dev/null can change its mode, owner and times, if he is root without a user
 * namespace in between: one `chmod` in a container, and no program of the host can open /dev/null any more. So a
 * container is only ever given a node of its own: the one in its own /dev, or one made for it alone.
 */

/** A null device of nobody else's, opened for reading and writing: on a filesystem that is attached nowhere. Needs CAP_MKNOD on the host. */
export function openPrivateNull(line: Line, where: string): Fd {
  return makeNull(line, `make an empty input ${where}`, []).open();
}

function makeNull(line: Line, what: string, tolerate: readonly "EPERM"[]): { readonly made: Call; readonly open: () => Call } {
  const mount = newFilesystem(line, "tmpfs", [], C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NOEXEC, {
    what,
    why: "for a null device of its own: through the host's, its mode could be changed",
  });
  line.call("umask", [0], { what, why: "its mode is as asked" });
  const made = line.call("mknodat", [mount, "null", C.S_IFCHR | 0o666, C.makeDevice(1, 3)], { what, why: "c 1:3", tolerate });
  return {
    made,
    open: () => line.call("openat", [mount, "null", C.O_RDWR | C.O_CLOEXEC, 0], { what, why: "the container may have put anything in the place of its own" }),
  };
}

/**
 * Puts one of the program's own in the place of streams that are the host's /dev/null. Where the caller is in a user namespace,
 * mknod(2) is refused, and so is what this guards against: they stay.
 */
export function replaceIdleStreams(line: Line, streams: readonly number[], where: string): void {
  if (streams.length === 0) return;
  const what = `connect idle streams ${where}`;
  const { made, open } = makeNull(line, what, ["EPERM"]);
  line.unless({ of: made, is: "failed" }, () => {
    const nothing = open();
    for (const stream of streams) line.call("dup3", [nothing, stream, 0], { what, why: ["standard input", "standard output", "standard error"][stream] ?? "" });
  });
}

/** What masks files: a null device by descriptor, and whether it is the host's and must not be changed through the mask. */
export interface MaskCover {
  readonly node: Fd;
  readonly isHosts: boolean;
}

/**
 * `dev` is the root of a /dev that this plan itself made. Its node is the container's own, and nothing of the image's could take its
 * place (CVE-2025-31133); where the config put something there, or the node is the host's own (in a user namespace), it is
 * the host's, which can be copied to a read-only mount at least.
 */
export function openMaskCover({ inner: line, config, where }: Context, dev: Fd | undefined, inUserNamespace: boolean): MaskCover {
  const claimed = [
    ...(config.linux?.devices ?? []).map(({ path }) => path),
    ...(config.mounts ?? []).map(({ destination }) => destination),
  ].includes("/dev/null");
  if (dev === undefined || inUserNamespace || claimed)
    return { isHosts: true, node: line.call("openat", [C.AT_FDCWD, "/dev/null", C.O_PATH | C.O_CLOEXEC, 0], {
      what: `open the host's "/dev/null" ${where}`,
      why: "a cover that the container cannot have prepared",
    }) };
  return {
    isHosts: false,
    node: openInRoot(line, dev, "null", {
      flags: C.O_PATH | C.O_NOFOLLOW, resolve: C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_XDEV,
      what: `open "/dev/null" ${where}`, why: "a cover: the node that was just made, and no other",
    }),
  };
}
