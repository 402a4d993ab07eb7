import { createDigestHash } from "../../oci/digest.ts";
import type { TreeWalker } from "./walker.ts";

/**
 * One line per file with everything that two unpackings of an image must agree on: path, type, mode, owner, size, time, device
 * or target, the first name of a hard-linked file, attributes, and the content's digest. Sorted by path. Two trees
 * are equal when their lines are.
 */
export async function treeManifest(tree: TreeWalker): Promise<string[]> {
  const lines: string[] = [];
  const first = new Map<string, string>();
  for await (const file of tree.walk()) {
    const facts = [
      JSON.stringify(file.path === "" ? "." : file.path),
      file.type,
      file.mode.toString(8).padStart(4, "0"),
      `${file.uid}:${file.gid}`,
      `size=${file.size}`,
      `mtime=${file.mtimeSec}.${String(file.mtimeNsec).padStart(9, "0")}`,
    ];
    if (file.type === "char" || file.type === "block") facts.push(`device=${file.major}:${file.minor}`);
    if (file.type === "symlink") facts.push(`target=${JSON.stringify(file.target)}`);
    if (file.inode !== undefined) {
      const name = first.get(file.inode) ?? file.path;
      first.set(file.inode, name);
      facts.push(`inode-of=${JSON.stringify(name)}`);
    }
    for (const [name, value] of [...file.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) facts.push(`${name}=${Buffer.from(value, "latin1").toString("hex")}`);
    if (file.type === "file") {
      const hash = createDigestHash();
      for await (const chunk of file.open()) hash.update(chunk);
      facts.push(`sha256=${hash.digest("hex")}`);
    }
    lines.push(facts.join(" "));
  }
  return lines.sort();
}
