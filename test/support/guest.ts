/** The probe of test/guest, compiled once per content, and its answer as a typed value. */
import { copyFileSync, chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runOk } from "./command.ts";
import { cached, cacheKey } from "./rootfs.ts";

const SOURCE = join(import.meta.dirname, "../guest/probe.c");

/** Path of the static probe on this machine. */
export async function buildProbe(): Promise<string> {
  const directory = await cached("probe", cacheKey(readFileSync(SOURCE), process.arch), async (dir) => {
    await runOk(["gcc", "-std=gnu11", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", join(dir, "probe"), SOURCE], { timeoutMs: 120_000 });
  });
  return join(directory, "probe");
}

/** Puts the probe into a root filesystem as /probe. */
export async function installProbe(rootfs: string): Promise<string> {
  const path = join(rootfs, "probe");
  copyFileSync(await buildProbe(), path);
  chmodSync(path, 0o755);
  return path;
}

export interface GuestDevice {
  name: string;
  type: "c" | "b" | "d" | "l" | "p" | "-";
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  major?: number;
  minor?: number;
  target?: string | null;
}

export interface GuestFacts {
  pid: number;
  ppid: number;
  hostname: string;
  domainname: string;
  machine: string;
  /** Real, effective, saved. */
  uid: [number, number, number];
  gid: [number, number, number];
  groups: number[];
  umask: number;
  dumpable: number;
  no_new_privs: number;
  parent_death_signal: number;
  /** Soft and hard by name ("nofile"); -1 is unlimited. */
  rlimits: Record<string, [number, number]>;
  cwd: string;
  env: string[];
  argv: string[];
  /** What each open descriptor points at. */
  fds: Record<string, string>;
  tty: {
    isatty: [boolean, boolean, boolean];
    rows?: number;
    cols?: number;
    name?: string;
    controlling: boolean;
    foreground_pgrp?: number;
    sid: number;
    pgrp: number;
  };
  /** "pid:[4026531836]" by kind. */
  namespaces: Record<"cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts", string | null>;
  dev: GuestDevice[];
  /** "yes" or the errno's name, for each path asked with `-w`. */
  writable: Record<string, string>;
  cpus?: number;
  status: string;
  mountinfo: string;
  cgroup: string | null;
  uid_map: string | null;
  gid_map: string | null;
  oom_score_adj: string | null;
  attr: string | null;
  net_dev: string | null;
  hosts: string | null;
  resolv_conf: string | null;
}

/** Reads the last line that is JSON: a pty or a runtime may have said something before. */
export function parseFacts(stdout: string): GuestFacts {
  const line = stdout.split(/\r?\n/).findLast((entry) => entry.startsWith("{"));
  if (line === undefined) throw new Error(`The probe said nothing: ${JSON.stringify(stdout)}`);
  return JSON.parse(line) as GuestFacts; // what probe.c prints
}

/** A field of /proc/PID/status, e.g. "CapEff", "Seccomp", "SigBlk". */
export function statusField(facts: GuestFacts, name: string): string {
  const line = facts.status.split("\n").find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`/proc/self/status has no "${name}".`);
  return line.slice(name.length + 1).trim();
}

export interface GuestMount {
  root: string;
  target: string;
  /** Per mount: "rw", "nosuid", … */
  options: string[];
  /** "shared:1", "master:2", …; empty is private. */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

/** The mounts that the guest sees, in order; see proc_pid_mountinfo(5). */
export function parseMountinfo(text: string): GuestMount[] {
  const unescape = (word: string): string => word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const [, , , root = "", target = "", options = "", ...propagation] = left.split(" ");
      const [type = "", source = "", superOptions = ""] = right.split(" ");
      return { root: unescape(root), target: unescape(target), options: options.split(","), propagation, type, source: unescape(source), superOptions: superOptions.split(",") };
    });
}
