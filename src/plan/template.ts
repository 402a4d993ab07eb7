/**
 * A plan that was encoded before, to be used again for another container: its bytes, and the places in them that differ from
 * one container to the next. Native searches and copies, where compiling runs some hundred functions for the first time.
 */
import type { EncodedPlan } from "./encode.ts";

/** What differs from one container to the next: pieces of data that a plan carries and that no decision depends on. */
export interface Variable {
  readonly bytes: Uint8Array;
  /** May be there several times, or not at all; otherwise it must be there exactly once. */
  readonly repeats: boolean;
}

export interface Template extends EncodedPlan {
  /** For each variable: where it is in `bytes`. */
  readonly places: readonly (readonly number[])[];
}

/** Finds the variables in an encoded plan; undefined if one that must be there once is not, or twice. */
export function templateOf(plan: EncodedPlan, variables: readonly Variable[]): Template | undefined {
  const places: number[][] = [];
  for (const { bytes, repeats } of variables) {
    const found: number[] = [];
    for (let at = plan.bytes.indexOf(bytes); at >= 0; at = plan.bytes.indexOf(bytes, at + bytes.length)) found.push(at);
    if (!repeats && found.length !== 1) return undefined;
    places.push(found);
  }
  return { ...plan, places };
}

/** The plan with other values: as many as when the template was made, each as long. Earlier ones are overwritten by later ones. Changes `template.bytes`. */
export function fillTemplate(template: Template, variables: readonly Variable[]): EncodedPlan {
  const { bytes, count, places } = template;
  for (let n = 0; n < variables.length; n++)
    for (const at of places[n] ?? []) bytes.set(variables[n]?.bytes ?? [], at);
  return { bytes, count };
}
