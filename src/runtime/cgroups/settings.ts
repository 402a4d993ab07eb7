import { parseCpuList } from "./convert.ts";
import type { CgroupWrite, CompileOptions, Expectation } from "./types.ts";

/** What the per-controller compilers share: the group, who asked, and where to put writes and refusals. */
export interface SettingsContext {
  readonly directory: string;
  readonly controller: string;
  /** A group that was just made: values equal to the kernel's defaults need not be written. */
  readonly fresh: boolean;
  readonly options: CompileOptions;
  readonly writes: CgroupWrite[];
  readonly problems: string[];
}

export interface SettingDetails {
  readonly why: string;
  readonly option?: string;
  readonly ignoreErrno?: readonly string[];
  readonly orElse?: { file: string; value: string };
  /** The file's text afterwards; `false` where it cannot be told in advance. The value itself unless said. */
  readonly equals?: string | false;
  readonly line?: string;
  readonly expect?: Expectation;
}

export function set(context: SettingsContext, file: string, value: number | string, details: SettingDetails): void {
  const path = `${context.directory}/${file}`;
  const text = String(value);
  const expect: Expectation | undefined =
    details.expect ??
    (details.line !== undefined
      ? { path, line: details.line }
      : details.equals === false
        ? undefined
        : { path, equals: details.equals ?? text });
  context.writes.push({
    path,
    value: text,
    why: details.why,
    controller: context.controller,
    ...(details.option === undefined ? {} : { option: details.option }),
    ...(details.ignoreErrno === undefined ? {} : { ignoreErrno: details.ignoreErrno }),
    ...(details.orElse === undefined
      ? {}
      : { orElse: { path: `${context.directory}/${details.orElse.file}`, value: details.orElse.value } }),
    ...(expect === undefined ? {} : { expect }),
  });
}

/** What a memory file shows after a write: whole pages, rounded down (page_counter_memparse); unknown past 2^53. */
export function wholePages(bytes: number, options: CompileOptions): string | false {
  if (bytes < 0 || !Number.isSafeInteger(bytes)) return false;
  const pageSize = options.pageSize ?? 4096;
  return String(Math.floor(bytes / pageSize) * pageSize);
}

export function refuse(context: SettingsContext, option: string, reason: string): void {
  context.problems.push(`Cannot apply ${option}: ${reason}`);
}

/**
 * Whether all of a list of CPUs or memory nodes may be had; says in Docker's words where not. v1's kernel refuses others; v2's takes
 * any that this machine could have one day, and lets the group run on all that its parent has until then.
 */
export function available(context: SettingsContext, file: "cpuset.cpus" | "cpuset.mems", wanted: string, offered: string): boolean {
  const [asked, there] = [parseCpuList(wanted), parseCpuList(offered)];
  if (asked === undefined || there === undefined || asked.every((number) => there.includes(number))) return true;
  context.problems.push(`Requested ${file === "cpuset.cpus" ? "CPUs" : "memory nodes"} are not available - requested ${wanted}, available: ${offered}`);
  return false;
}
