/**
 * What a test may leave behind in the kernel or on disk, as comparable lines. Two snapshots are compared; a line
 * that is new, or that has gone, is a leak, unless it settles within a moment: the kernel tears network
 * namespaces down asynchronously.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TOOL_PATH } from "../../scripts/support/packages.ts";

export type LeakKind = "mount" | "netns" | "link" | "cgroup" | "nft" | "process" | "file";

export type LeakSnapshot = ReadonlyMap<LeakKind, ReadonlySet<string>>;

export interface Leak {
  kind: LeakKind;
  /** "gone": the test took away something that was the machine's. */
  change: "new" | "gone";
  what: string;
}

/** Places where the engine under test must never write, because each test gets its own. */
const SHARED_PLACES = ["/run/sampan", "/var/lib/sampan", "/run/netns", "/dev/shm", "/dev/mqueue"];

/** cgroups of ours and of the engines that tests start beside us; a session's own groups come and go. */
const CGROUP_OF_A_TEST = /\/(sampan|docker|libpod|buildah|podman)[^/]*/;

/** The group that holds all containers' groups stays, as /docker does: another container may be about to be put in it. */
const SHARED_GROUP = /^\/sys\/fs\/cgroup(\/[^/]+)?\/sampan$/;

/** Our own processes, by the name of their executable. */
const PROCESS_OF_OURS = /^(sampan|keel)/;

function listMounts(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => line !== "");
}

function listPids(): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
}

function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // The process ended, or the file went, while we looked.
  }
}

/** Every network namespace that a process or a bind mount keeps alive. */
function listNetworkNamespaces(): string[] {
  const held = listPids().map((pid) => readOrUndefined(() => readlinkSync(`/proc/${pid}/ns/net`)));
  const bound = listMounts().map((line) => /net:\[\d+\]/.exec(line)?.[0]);
  return [...held, ...bound].filter((name) => name !== undefined);
}

function runTool(command: string, args: string[]): string {
  const result = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, PATH: TOOL_PATH } });
  if (result.status !== 0) throw new Error(`Cannot look for leaks: "${command} ${args.join(" ")}" failed: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

function listLinks(): string[] {
  // As each index is used once, a link taken down and made again under the same name shows up, too.
  const links = JSON.parse(runTool("ip", ["-j", "link"])) as { ifindex: number; ifname: string }[]; // ip(8) -j
  return links.map((link) => `${link.ifindex}: ${link.ifname}`);
}

function listNftables(): string[] {
  const lines: string[] = [];
  let table = "";
  for (const line of runTool("nft", ["--stateless", "list", "ruleset"]).split("\n")) {
    if (line.startsWith("table ")) table = line.replace(" {", "");
    if (line.trim() !== "" && line.trim() !== "}") lines.push(`${table}: ${line.trim()}`);
  }
  return lines;
}

function listCgroups(): string[] {
  const roots = listMounts().filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(" ")[4] ?? "");
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readOrUndefined(() => readdirSync(path, { withFileTypes: true })) ?? []) {
      if (!entry.isDirectory()) continue;
      const child = join(path, entry.name);
      if (CGROUP_OF_A_TEST.test(child) && !SHARED_GROUP.test(child)) found.push(child);
      walk(child);
    }
  };
  roots.forEach(walk);
  return found;
}

/** Living processes that carry the marker in their environment or are ours by name. */
function listProcesses(marker: string | undefined): string[] {
  const found: string[] = [];
  for (const pid of listPids()) {
    if (pid === process.pid || pid === process.ppid) continue;
    const stat = readOrUndefined(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
    if (stat === undefined || stat.includes(") Z ")) continue;
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const environment = marker === undefined ? "" : readOrUndefined(() => readFileSync(`/proc/${pid}/environ`, "latin1")) ?? "";
    const marked = marker !== undefined && environment.split("\0").includes(marker);
    if (marked || PROCESS_OF_OURS.test(name)) found.push(`${pid}: ${name}`);
  }
  return found;
}

function listFiles(places: string[]): string[] {
  return places.filter((place) => existsSync(place)).flatMap((place) => {
    const inside = (readOrUndefined(() => readdirSync(place)) ?? []).map((name) => join(place, name));
    return SHARED_PLACES.includes(place) ? [place, ...inside] : inside;
  });
}

export interface LeakScope {
  /** "NAME=value" in the environment of what the test starts. */
  marker?: string;
  /** Temporary directories that must be empty again. */
  places?: string[];
  /** Look at nothing but `places` among the files: others use the shared ones at the same time. */
  onlyPlaces?: boolean;
  /** Kinds to look at; all by default. */
  kinds?: LeakKind[];
}

export function leakSnapshot(scope: LeakScope = {}): LeakSnapshot {
  const lists: Record<LeakKind, () => string[]> = {
    mount: listMounts,
    netns: listNetworkNamespaces,
    link: listLinks,
    cgroup: listCgroups,
    nft: listNftables,
    process: () => listProcesses(scope.marker),
    file: () => listFiles([...(scope.onlyPlaces === true ? [] : SHARED_PLACES), ...(scope.places ?? [])]),
  };
  const kinds = scope.kinds ?? (Object.keys(lists) as LeakKind[]); // Object.keys loses the key type
  return new Map(kinds.map((kind) => [kind, new Set(lists[kind]())]));
}

/** Processes and files that were there before may end or go; everything else must still be there. */
const MAY_GO: readonly LeakKind[] = ["process", "file", "netns", "cgroup"];

export function compareSnapshots(before: LeakSnapshot, after: LeakSnapshot): Leak[] {
  const leaks: Leak[] = [];
  for (const [kind, lines] of after) {
    const earlier = before.get(kind) ?? new Set<string>();
    for (const what of lines) if (!earlier.has(what)) leaks.push({ kind, change: "new", what });
    if (MAY_GO.includes(kind)) continue;
    for (const what of earlier) if (!lines.has(what)) leaks.push({ kind, change: "gone", what });
  }
  return leaks;
}

/** The leaks that are still there after `settleMs`; returns as soon as there is none. */
export async function findLeaks(before: LeakSnapshot, scope: LeakScope = {}, settleMs = 3_000): Promise<Leak[]> {
  const until = performance.now() + settleMs;
  for (;;) {
    const leaks = compareSnapshots(before, leakSnapshot(scope));
    if (leaks.length === 0 || performance.now() > until) return leaks;
    await sleep(100);
  }
}

export function describeLeak(leak: Leak): string {
  return `${leak.kind} ${leak.change === "new" ? "left behind" : "taken away"}: ${leak.what}`;
}

/** Throws with every leak named: for a single test that wants to be held to it on the spot. */
export async function assertNoLeaks(before: LeakSnapshot, scope: LeakScope = {}): Promise<void> {
  const leaks = await findLeaks(before, scope);
  if (leaks.length > 0) throw new Error(`The test left the machine changed:\n${leaks.map((leak) => `  ${describeLeak(leak)}`).join("\n")}`);
}
