/**
 * Root filesystems of containers, read and written from outside, whether they run or not: for cp, export, diff, commit.
 *
 * Vocabulary: an *access* is a helper process (keel) that stands in the container's mount namespace, or in one like it; a
 * *view* is with or without what is mounted; a *place* is a directory that this process has open, and one name in it.
 *
 * Invariants: a path that comes from a container is resolved by openat2(2) inside its root, by the helper; from there on
 * every step is a place, never a path of several names, and never follows a link (CVE-2018-15664). Nothing of the
 * container is executed (CVE-2019-14271). Nothing is mounted on the host.
 */
export { FileHelper } from "./helper.ts";
export type { Change, Place } from "./helper.ts";
export { RootAccess, openHostAccess, openRootAccess } from "./root.ts";
export type { RootView } from "./root.ts";
export { DirectoryWalker, entryAt, openDirectoryIn, pathIn } from "./walk.ts";
export { TreeWriter } from "./write.ts";
export type { WriteOptions } from "./write.ts";
export { entryHeader, treeToTar } from "./archive.ts";
