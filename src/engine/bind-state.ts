import { existsSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";
import type { Paths } from "./paths.ts";

/**
 * One root belongs to one run state: what of a container runs is found there alone, and whoever looked in another one would take
 * what runs for dead, and end it. The root has a link to its run state; it may be led elsewhere while nothing runs.
 */
export function bindState({ root, state }: Paths): void {
  const link = `${root}/state`;
  const bound = linkOf(link);
  if (bound === state) return;
  if (bound !== undefined && hasRuns(root, bound)) {
    throw new SampanError("conflict", `Cannot use root "${root}" with state "${state}": containers of it run with state "${bound}"`, {
      hint: `Name it with --state ${bound} or SAMPAN_STATE, or stop them there first`,
    });
  }
  const made = `${link}.${process.pid}`;
  rmSync(made, { force: true }); // of one who was killed here, and had this pid
  symlinkSync(state, made);
  renameSync(made, link);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A container has a directory there from its start to its end. Other roots may share the run state. */
function hasRuns(root: string, state: string): boolean {
  try {
    return readdirSync(`${state}/containers`).some((id) => existsSync(`${root}/containers/${id}`));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
