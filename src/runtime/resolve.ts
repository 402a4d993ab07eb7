import { Block } from "../plan/index.ts";
import type { Call, CallOptions, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd } from "./context.ts";

/** `struct open_how` of openat2(2): 24 bytes. */
function openHow(flags: number, mode: number, resolve: number): Block {
  return new Block(24, "struct open_how").u64(0, flags).u64(8, mode).u64(16, resolve);
}

export interface ResolveOptions extends CallOptions {
  readonly flags?: number;
  readonly mode?: number;
  readonly resolve?: number;
}

/**
 * openat2(2) beneath a root: symlinks resolve as the container would see them and cannot lead out, and magic links
 * (/proc/self/fd/N) are refused (CVE-2024-21626).
 */
export function openInRoot(line: Line, root: Fd, path: string, options: ResolveOptions): Call {
  const how = openHow(
    (options.flags ?? C.O_PATH) | C.O_CLOEXEC,
    options.mode ?? 0,
    (options.resolve ?? C.RESOLVE_IN_ROOT) | C.RESOLVE_NO_MAGICLINKS,
  );
  const { flags: _flags, mode: _mode, resolve: _resolve, ...rest } = options;
  return line.call("openat2", [root, path.replace(/^\/+/, "") || ".", how, 24], rest);
}

/**
 * An empty file to mount on. The last name may be a link that leads nowhere yet: the file is made where it leads, inside
 * the root; and where not even that directory exists (an /etc/resolv.conf of a service that does not run here), in place
 * of the link, in the container's own layer.
 */
function makeFile(line: Line, root: Fd, parent: Fd, prefix: string, name: string, options: { what: string; mode?: number }): void {
  const { what } = options;
  const made = openInRoot(line, root, prefix, {
    flags: C.O_CREAT | C.O_RDONLY | C.O_NONBLOCK | C.O_NOCTTY,
    mode: options.mode ?? 0o644,
    what,
    why: "an empty file to mount on",
    tolerate: ["ENOENT"],
  });
  line.unless({ of: made, is: "ok" }, () => {
    line.call("unlinkat", [parent, name, 0], { what, why: "a link into nothing makes room", tolerate: ["ENOENT"] });
    line.call("mknodat", [parent, name, C.S_IFREG | (options.mode ?? 0o644), 0], { what, why: "an empty file to mount on" });
  });
}

/**
 * Opens a directory or file beneath a root and makes what is missing, without ever following a symlink that it did not
 * resolve itself: each missing name is made in a parent that was opened before, and opened again without following.
 * A dangling symlink on the way is an error, never a file somewhere else.
 */
export function makeInRoot(
  line: Line,
  root: Fd,
  path: string,
  kind: "directory" | "file",
  options: { what: string; why: string; mode?: number; resolve?: number },
): Call {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const resolve = options.resolve === undefined ? {} : { resolve: options.resolve };
  const found = openInRoot(line, root, names.join("/"), {
    ...resolve, what: options.what, why: options.why, tolerate: names.length === 0 ? [] : ["ENOENT"],
  });
  if (names.length === 0) return found;
  let parent: Call | Fd = root;
  let made: Call | undefined;
  line.unless({ of: found, is: "ok" }, () => {
    names.forEach((name, i) => {
      const last = i === names.length - 1;
      const asFile = last && kind === "file";
      const prefix = names.slice(0, i + 1).join("/");
      const exists = openInRoot(line, root, prefix, {
        ...resolve, what: options.what, why: "what is there already is used, wherever its links lead inside the root", tolerate: ["ENOENT"],
      });
      line.unless({ of: exists, is: "ok" }, () => {
        if (asFile) makeFile(line, root, parent, prefix, name, options);
        else line.call("mkdirat", [parent, name, last ? (options.mode ?? 0o755) : 0o755], {
          what: options.what,
          why: "a directory that is missing on the way",
        });
      });
      const opened = asFile ? openInRoot(line, root, prefix, {
        ...resolve,
        what: options.what,
        why: "what was just made",
        when: { of: exists, is: "ENOENT" },
      }) : line.call(
        "openat2",
        [parent, name, openHow(C.O_PATH | C.O_NOFOLLOW | C.O_CLOEXEC, 0, C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS), 24],
        { what: options.what, why: "what was just made, not what a link says", when: { of: exists, is: "ENOENT" } },
      );
      made = line.pick(exists, opened, { why: "the one that is there" });
      parent = made;
    });
  });
  return line.pick(found, made ?? found, { why: "found, or made" });
}
