import { renameSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import type { ContainerPaths } from "../paths.ts";

const held = ({ healthPlan }: ContainerPaths): string => `${healthPlan}.held`;

/**
 * A paused container is not probed, and a probe that froze with it has its time again afterwards: the monitor begins
 * none, and gives up none, while its plan is not there (native/keel/health.c).
 */
export function holdHealth(paths: ContainerPaths): void {
  move(paths.healthPlan, held(paths));
}

/** Before the container is thawed: a crash between the two lets a probe time out, but none is ever lost. */
export function resumeHealth(paths: ContainerPaths): void {
  move(held(paths), paths.healthPlan);
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error; // it has no check, or has ended
  }
}
