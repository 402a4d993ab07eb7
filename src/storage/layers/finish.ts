import type { ByteString } from "../tar/index.ts";
import type { LayerOp } from "./sink.ts";
import type { DirectoryAttributes, DirectoryNode } from "./tree.ts";

/** What parents get that no entry describes, and that have nothing to take after. Time 0, so that a layer is a function of its bytes. */
const IMPLICIT_ATTRIBUTES: DirectoryAttributes = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: undefined };

interface Output {
  readonly enter: (directory: DirectoryNode) => void;
  readonly push: (op: LayerOp) => void;
}

/**
 * The last ops of a layer: whiteouts, opaque marks, and the attributes of directories, children before parents, since
 * a new entry changes its directory's time, and a directory without write permission takes no entries.
 */
export function finishTree(
  root: DirectoryNode,
  overlayXattrs: "trusted" | "user",
  output: Output,
): { implicit: ByteString[]; opaque: ByteString[] } {
  const implicit: ByteString[] = [];
  const opaque: ByteString[] = [];
  const here = "." as ByteString; // brand: ASCII
  const opaqueName = `${overlayXattrs}.overlay.opaque` as ByteString; // brand: ASCII

  function attributes(directory: DirectoryNode, name: ByteString): void {
    output.push({ op: "open", name });
    // overlayfs looks for no mark on a layer's root; the summary tells.
    if (directory.opaque && directory !== root) output.push({ op: "fsetxattr", name: opaqueName, value: "y" as ByteString }); // brand: ASCII
    pushDirectoryAttributes(directory.attributes ?? IMPLICIT_ATTRIBUTES, output.push);
    output.push({ op: "close" });
  }

  function finish(directory: DirectoryNode): void {
    markWhiteouts(directory, output);
    if (directory.attributes === undefined && !directory.hidden) implicit.push(directory.path);
    if (directory.opaque) opaque.push(directory.path);
    const directories: DirectoryNode[] = [];
    for (const child of directory.children.values()) if (child.kind === "directory") directories.push(child);
    for (const child of directories) finish(child);
    if (directories.length > 0) output.enter(directory);
    for (const child of directories) attributes(child, child.name);
  }

  finish(root);
  output.enter(root);
  attributes(root, here);
  return { implicit, opaque };
}

function markWhiteouts(directory: DirectoryNode, output: Output): void {
  for (const name of directory.whiteouts ?? []) {
    const child = directory.children.get(name);
    if (child === undefined) {
      // Below an opaque directory there is nothing left to hide.
      if (directory.opaque && directory.parent !== undefined) continue;
      output.enter(directory);
      output.push({ op: "mknod", name, kind: "char", mode: 0, major: 0, minor: 0 });
    } else if (child.kind === "directory") {
      child.replaced = true;
      child.opaque = true;
    }
    // Any other file hides what is below by being there.
  }
}

/** On `F`, a directory that belongs to 0:0 or has been described before. */
export function pushDirectoryAttributes(attributes: DirectoryAttributes, push: (op: LayerOp) => void, always = false): void {
  const { mode, uid, gid, mtimeSec, mtimeNsec, xattrs } = attributes;
  if (always || uid !== 0 || gid !== 0) push({ op: "fchown", uid, gid });
  push({ op: "fchmod", mode });
  for (const [name, value] of xattrs ?? []) push({ op: "fsetxattr", name, value });
  push({ op: "futimens", sec: mtimeSec, nsec: mtimeNsec });
}
