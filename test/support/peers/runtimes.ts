/**
 * `crun` and `runc` with a state directory of their own.
 *
 * Recipe, as verified with crun 1.8.1 and runc 1.1.5: `--root DIR`; crun needs the private mount namespace of
 * hybrid.ts on a hybrid host, and finds its containers again in later calls, each in a namespace of its own.
 */
import { run, type CommandOptions, type CommandResult } from "../command.ts";
import { inPrivateMounts } from "./hybrid.ts";

export type RuntimeName = "crun" | "runc";

/** The words to put before `run -b BUNDLE ID` and its like. */
export function runtimeCommand(name: RuntimeName, rootDir: string): string[] {
  return name === "crun" ? inPrivateMounts(["crun", "--root", rootDir, "--cgroup-manager=cgroupfs"]) : ["runc", "--root", rootDir];
}

export function crun(rootDir: string, args: string[], options?: CommandOptions): Promise<CommandResult> {
  return run([...runtimeCommand("crun", rootDir), ...args], options);
}

export function runc(rootDir: string, args: string[], options?: CommandOptions): Promise<CommandResult> {
  return run([...runtimeCommand("runc", rootDir), ...args], options);
}
