import { BPF_JMP_JEQ_K, BPF_JMP_JGE_K } from "../../linux/bpf.ts";
import type { Assembler, Target } from "./assembler.ts";

/**
 * A function of a 32-bit word that is constant over ranges: `targets[i]` holds from `starts[i]` up to the
 * next start. The first start is 0; neighbours differ.
 */
export class RangeMap {
  readonly starts: number[] = [];
  readonly targets: Target[] = [];

  /** From `start` on it is `target`. Calls come in ascending order; one at an equal start replaces the earlier one. */
  from(start: number, target: Target): void {
    const last = this.starts.length - 1;
    if (this.starts[last] === start) {
      this.starts.pop();
      this.targets.pop();
    }
    if (this.targets.at(-1) === target) return;
    this.starts.push(start);
    this.targets.push(target);
  }
}

/** Code that takes A to its range's target, in a number of comparisons that grows with the logarithm of the ranges. */
export function emitRanges(assembler: Assembler, map: RangeMap): Target {
  return emitBetween(assembler, map, 0, map.starts.length - 1);
}

function emitBetween(assembler: Assembler, map: RangeMap, first: number, last: number): Target {
  if (first === last) return targetAt(map, first);
  if (isException(map, first, last)) return emitException(assembler, map, first);
  // Four ranges are an exception and a neighbour more often than two pairs; that form is one instruction shorter.
  let middle = (first + last + 1) >> 1;
  if (last - first === 3) {
    if (isException(map, first, last - 1)) middle = last;
    else if (isException(map, first + 1, last)) middle = first + 1;
  }
  const above = emitBetween(assembler, map, middle, last);
  const below = emitBetween(assembler, map, first, middle - 1);
  return assembler.branch(BPF_JMP_JGE_K, map.starts[middle] ?? 0, above, below);
}

/** Three ranges, the middle one a single number inside what is otherwise one range. */
function isException(map: RangeMap, first: number, last: number): boolean {
  return (
    last - first === 2 &&
    map.targets[first] === map.targets[last] &&
    (map.starts[first + 1] ?? 0) + 1 === map.starts[last]
  );
}

function emitException(assembler: Assembler, map: RangeMap, first: number): Target {
  return assembler.branch(BPF_JMP_JEQ_K, map.starts[first + 1] ?? 0, targetAt(map, first + 1), targetAt(map, first));
}

function targetAt(map: RangeMap, index: number): Target {
  const target = map.targets[index];
  if (target === undefined) throw new RangeError(`No range ${index}`);
  return target;
}
