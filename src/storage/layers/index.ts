/**
 * Layers: what a layer's tar means, decided here; the files are made elsewhere.
 *
 * Vocabulary: a *layer directory* holds one layer in overlayfs's own form (whiteouts are 0/0 character devices, opaque
 * directories carry `trusted.overlay.opaque`); the *planner* turns tar entries into *ops*, one system call each;
 * a *sink* carries ops out (keel) or writes them down (the recorder); a *walker* reads a tree back, for commit
 * and for comparison; an *implicit* directory is one that a layer needs as a parent without describing it.
 *
 * Invariants: no op names a path with a symbolic link or ".." in it: links are resolved here, in the planner's own model of
 * the directory, and the sink's `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)` proves it again in the kernel.
 * An op never depends on what a system call found: a plan that fails anywhere fails as a whole, and its directory is dropped.
 */
export { type LayerOp, type LayerSink } from "./sink.ts";
export { LayerPlanner, type LayerPlannerOptions } from "./planner.ts";
export { DEFAULT_LAYER_LIMITS, type LayerLimits } from "./limits.ts";
export type { LayerSummary } from "./summary.ts";
export { applyLayer, type ApplyLayerOptions } from "./apply.ts";
export { RecorderSink } from "./recorder.ts";
export { BatchPool } from "./batch.ts";
export { KeelSink } from "./keel-sink.ts";
export { inheritDirectories, openLayerView, type LayerView, type DirectoryFacts } from "./inherit.ts";
export { xattrPolicy, type XattrPolicy } from "./xattrs.ts";
export type { TreeEntry, TreeWalker } from "./walker.ts";
export { diffToTar } from "./diff.ts";
export { treeManifest } from "./manifest.ts";
