import { SampanError } from "../../base/errors.ts";
import type { Seccomp, SeccompAction, SeccompArg, SeccompRule } from "../../oci/runtime-config.ts";
import type { Arch } from "../../linux/arch.ts";
import { checkSeccomp, throwProblems } from "./check.ts";
import { isKernelAtLeast } from "./kernel-version.ts";

/** Conditions that Docker's format puts on a rule. */
interface Filter {
  caps: string[];
  arches: string[];
  minKernel: string | undefined;
}

/** Go's names, which Docker's format uses in `arches`. */
const GO_ARCH = { x64: "amd64", arm64: "arm64" } as const;
const SCMP_ARCH = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;

/**
 * A profile in Docker's format (`archMap`; rules with `includes` and `excludes`) for one container on one machine:
 * what remains is plain OCI. A plain OCI profile goes through unchanged.
 *
 * @param json the parsed file; see parse-profile.ts for numbers beyond 2^53
 * @param capabilities the process's effective set, full names
 * @param kernelVersion as uname(2) gives it
 * @param where what messages call the profile
 * @throws SampanError `invalid`, every problem of the file told at once
 */
export function resolveDockerProfile(
  json: unknown,
  capabilities: readonly string[],
  arch: Arch,
  kernelVersion: string,
  where = "seccomp profile",
): Seccomp {
  const reader = new Reader(where);
  const profile = reader.object(json, "the profile");
  const resolved = readProfile(reader, profile, arch, (filter, mode) => isMet(filter, mode, capabilities, arch, kernelVersion));
  throwProblems(reader.problems);
  checkSeccomp(resolved, where);
  return resolved;
}

/** Includes demand all that they name; one capability or architecture named in excludes is enough to drop a rule. */
function isMet(filter: Filter, mode: "all" | "any", capabilities: readonly string[], arch: Arch, kernelVersion: string): boolean {
  const hasArch = filter.arches.includes(GO_ARCH[arch]);
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(filter.minKernel ?? "") ?? [];
  const hasKernel = isKernelAtLeast(kernelVersion, Number(major ?? 0), Number(minor ?? 0));
  if (mode === "any") {
    return hasArch || filter.caps.some((name) => capabilities.includes(name)) || (filter.minKernel !== undefined && hasKernel);
  }
  return (filter.arches.length === 0 || hasArch) && filter.caps.every((name) => capabilities.includes(name)) && hasKernel;
}

type IsMet = (filter: Filter, mode: "all" | "any") => boolean;

function readProfile(reader: Reader, profile: Record<string, unknown>, arch: Arch, isFilterMet: IsMet): Seccomp {
  const listed = reader.strings(profile["architectures"], "architectures");
  const mapped = readArchMap(reader, profile["archMap"], arch);
  if (listed !== undefined && listed.length > 0 && mapped !== undefined) reader.problem('it has both "architectures" and "archMap"; one of them must go');
  const syscalls: SeccompRule[] = [];
  for (const [index, entry] of (reader.array(profile["syscalls"], "syscalls") ?? []).entries()) {
    const rule = readRule(reader, reader.object(entry, `syscalls[${index}]`), `syscalls[${index}]`, isFilterMet);
    if (rule !== undefined) syscalls.push(rule);
  }
  const architectures = listed !== undefined && listed.length > 0 ? listed : mapped;
  const defaultErrnoRet = reader.integer(profile["defaultErrnoRet"], "defaultErrnoRet");
  const flags = reader.strings(profile["flags"], "flags");
  const listenerPath = reader.string(profile["listenerPath"], "listenerPath");
  const listenerMetadata = reader.string(profile["listenerMetadata"], "listenerMetadata");
  return {
    defaultAction: reader.action(profile["defaultAction"], "defaultAction"),
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    ...(architectures !== undefined && { architectures }),
    ...(flags !== undefined && { flags }),
    ...(listenerPath !== undefined && { listenerPath }),
    ...(listenerMetadata !== undefined && { listenerMetadata }),
    syscalls,
  };
}

/** The entry of this machine with its sub-architectures; none for a map that leaves this machine out. */
function readArchMap(reader: Reader, value: unknown, arch: Arch): string[] | undefined {
  const entries = reader.array(value, "archMap");
  if (entries === undefined || entries.length === 0) return undefined;
  for (const [index, entry] of entries.entries()) {
    const at = `archMap[${index}]`;
    const { architecture, subArchitectures } = reader.object(entry, at);
    const name = reader.string(architecture, `${at}.architecture`);
    const subs = reader.strings(subArchitectures, `${at}.subArchitectures`) ?? [];
    if (name === SCMP_ARCH[arch]) return [name, ...subs];
  }
  return [];
}

/** A rule, or undefined where it does not apply to this container. */
function readRule(reader: Reader, rule: Record<string, unknown>, at: string, isFilterMet: IsMet): SeccompRule | undefined {
  const name = reader.string(rule["name"], `${at}.name`);
  const names = reader.strings(rule["names"], `${at}.names`);
  if (name !== undefined && name !== "" && names !== undefined && names.length > 0) {
    reader.problem(`${at} has both "name" and "names"; one of them must go`);
  }
  const errnoRet = reader.integer(rule["errnoRet"], `${at}.errnoRet`);
  const args = (reader.array(rule["args"], `${at}.args`) ?? []).map((arg, index) => readArgument(reader, arg, `${at}.args[${index}]`));
  const result: SeccompRule = {
    names: names !== undefined && names.length > 0 ? names : name === undefined || name === "" ? [] : [name],
    action: reader.action(rule["action"], `${at}.action`),
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args.length > 0 && { args }),
  };
  const includes = readFilter(reader, rule["includes"], `${at}.includes`);
  const excludes = readFilter(reader, rule["excludes"], `${at}.excludes`);
  if (excludes !== undefined && isFilterMet(excludes, "any")) return undefined;
  if (includes !== undefined && !isFilterMet(includes, "all")) return undefined;
  return result;
}

function readArgument(reader: Reader, value: unknown, at: string): SeccompArg {
  const arg = reader.object(value, at);
  const valueTwo = reader.number(arg["valueTwo"], `${at}.valueTwo`);
  return {
    index: reader.integer(arg["index"], `${at}.index`) ?? 0,
    value: reader.number(arg["value"], `${at}.value`) ?? 0,
    op: reader.string(arg["op"], `${at}.op`) ?? "",
    ...(valueTwo !== undefined && { valueTwo }),
  };
}

function readFilter(reader: Reader, value: unknown, at: string): Filter | undefined {
  if (value === undefined || value === null) return undefined;
  const filter = reader.object(value, at);
  const minKernel = reader.string(filter["minKernel"], `${at}.minKernel`);
  if (minKernel !== undefined && !/^\d+\.\d+$/.test(minKernel)) reader.problem(`${at}.minKernel ${JSON.stringify(minKernel)} is no kernel version like "4.8"`);
  return { caps: reader.strings(filter["caps"], `${at}.caps`) ?? [], arches: reader.strings(filter["arches"], `${at}.arches`) ?? [], minKernel };
}

/** Takes values out of JSON, collecting what is wrong with each. Go writes an absent list as null. */
class Reader {
  readonly problems: string[] = [];
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  problem(text: string): void {
    this.problems.push(`Cannot use seccomp profile "${this.#where}": ${text}`);
  }

  object(value: unknown, at: string): Record<string, unknown> {
    // Just checked: anything that is an object and no array has string keys.
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    if (at === "the profile") throw new SampanError("invalid", `Cannot use seccomp profile "${this.#where}": it is no JSON object`);
    this.problem(`${at} is no object`);
    return {};
  }

  array(value: unknown, at: string): unknown[] | undefined {
    if (value === undefined || value === null) return undefined;
    // isArray narrows to any[]; its items are as unknown as the value was.
    if (Array.isArray(value)) return value as unknown[];
    this.problem(`${at} is no list`);
    return undefined;
  }

  strings(value: unknown, at: string): string[] | undefined {
    return this.array(value, at)?.map((item, index) => this.string(item, `${at}[${index}]`) ?? "");
  }

  string(value: unknown, at: string): string | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string") return value;
    this.problem(`${at} is no string`);
    return undefined;
  }

  number(value: unknown, at: string): number | bigint | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" || typeof value === "bigint") return value;
    this.problem(`${at} is no number`);
    return undefined;
  }

  integer(value: unknown, at: string): number | undefined {
    const number = this.number(value, at);
    return number === undefined ? undefined : Number(number);
  }

  action(value: unknown, at: string): SeccompAction {
    // checkSeccomp compares it with the known actions; an unknown one is told there.
    return (this.string(value, at) ?? "") as SeccompAction;
  }
}
