import type { ImageRemoval } from "../../../engine/api.ts";

/** "untagged: alpine:3", "deleted: sha256:…": the lines of a prune. */
export function removalLines(removed: readonly ImageRemoval[]): string[] {
  return removed.flatMap(({ untagged, deleted }) => [
    ...(untagged === undefined ? [] : [`untagged: ${untagged}`]),
    ...(deleted === undefined ? [] : [`deleted: ${deleted}`]),
  ]);
}
