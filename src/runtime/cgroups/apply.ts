import { mkdirSync } from "node:fs";
import { errnoOf } from "../../base/index.ts";
import { cgroupWriteFailure } from "./failure.ts";
import { readText, writeText } from "./files.ts";
import type { CgroupPlan, CgroupWrite, Expectation } from "./types.ts";

/** Does one write as the plan means it. Throws the failure in the user's words. */
export function performWrite(write: CgroupWrite): void {
  try {
    writeText(write.path, write.value);
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (write.ignoreErrno?.includes(errno) === true) return;
    if (write.orElse === undefined || errno !== "ENOENT") throw cgroupWriteFailure(write, errno);
    try {
      writeText(write.orElse.path, write.orElse.value);
    } catch (second) {
      throw cgroupWriteFailure({ ...write, ...write.orElse }, errnoOf(second) ?? "");
    }
  }
}

/**
 * Makes the directories and does the writes of a plan from here, without keel: for groups made ahead of a process.
 * Throws EEXIST where the leaf is there already. What was made is the caller's to remove (`removeCgroup`).
 */
export function applyPlan(plan: CgroupPlan): void {
  for (const { path, leaf } of plan.directories) {
    try {
      mkdirSync(path);
    } catch (error) {
      if (leaf || errnoOf(error) !== "EEXIST") throw error;
    }
  }
  for (const write of plan.writes) performWrite(write);
}

/** Whether a file's text is what was expected of it. */
export function meets(expect: Expectation, text: string): boolean {
  const lines = text.split("\n").filter((line) => line !== "");
  if ("equals" in expect) return text.trimEnd() === expect.equals;
  if ("line" in expect) return lines.includes(expect.line);
  return lines.length === expect.lines.length && expect.lines.every((line) => lines.includes(line));
}

/**
 * What is not in force although it was written, one sentence each; empty when all is as planned.
 * A file that is absent counts only if its write was not allowed to fail so.
 */
export function readBack(plan: Pick<CgroupPlan, "writes">): string[] {
  const last = new Map<string, CgroupWrite>();
  for (const write of plan.writes) if (write.expect !== undefined) last.set(JSON.stringify("line" in write.expect ? write.expect : write.expect.path), write);
  const problems: string[] = [];
  for (const write of last.values()) {
    if (write.expect === undefined) continue;
    const text = readText(write.expect.path);
    if (text === undefined) {
      if (write.orElse !== undefined || write.ignoreErrno?.includes("ENOENT") === true) continue;
      problems.push(`Cannot read back ${write.option ?? write.controller}: ${write.expect.path} is gone`);
    } else if (!meets(write.expect, text)) {
      problems.push(`Cannot apply ${write.option ?? write.controller} "${write.value}": ${write.expect.path} says "${text.trim()}"`);
    }
  }
  return problems;
}
