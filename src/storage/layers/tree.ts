import type { ByteString } from "../tar/index.ts";

/** The planner's model of the directory it fills: enough to know what every name is, nothing more. */
export type Node = DirectoryNode | SymlinkNode | LeafNode;

/** Anything without children or target; one shared value, as only the type matters. */
export interface LeafNode {
  readonly kind: "leaf";
}

export const LEAF: LeafNode = { kind: "leaf" };

export interface SymlinkNode {
  readonly kind: "symlink";
  readonly target: ByteString;
}

export interface DirectoryAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly xattrs: ReadonlyMap<ByteString, ByteString> | undefined;
}

export class DirectoryNode {
  readonly kind = "directory";
  readonly parent: DirectoryNode | undefined;
  readonly name: ByteString;
  /** Canonical path from the root, "" for the root. */
  readonly path: ByteString;
  readonly children = new Map<ByteString, Node>();
  /** undefined while implicit. */
  attributes: DirectoryAttributes | undefined;
  /** Hides what the layers below have in it. */
  opaque = false;
  /** Stands where the layers below had something that this layer removed. */
  replaced = false;
  /** Names removed from the layers below. */
  whiteouts: Set<ByteString> | undefined;

  constructor(parent: DirectoryNode | undefined, name: ByteString) {
    this.parent = parent;
    this.name = name;
    this.path = parent === undefined || parent.path === "" ? name : (`${parent.path}/${name}` as ByteString); // brand: of two byte strings
  }

  /** Nothing that the layers below have at this path shows through. */
  get hidden(): boolean {
    if (this.replaced) return true;
    for (let above = this.parent; above !== undefined; above = above.parent) if (above.opaque || above.replaced) return true;
    return false;
  }
}
