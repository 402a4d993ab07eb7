/**
 * A sandbox is one test's own engine: directories of its own for the store and the run state, and the built
 * `sampan` called with them. Disposing of it removes every container it still has, then the directories.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostNamesOf } from "../../src/engine/network/host-names.ts";
import { run, runOk, testEnv, type CommandOptions, type CommandResult } from "./command.ts";
import { openPty, type Pty, type PtyOptions } from "./pty.ts";
import { mountsBeneath, removeTree } from "./trees.ts";

export const REPOSITORY = join(import.meta.dirname, "../..");
/** What was built, here or where the build was told to put it. */
const DIST = process.env["SAMPAN_DIST"] ?? join(REPOSITORY, "dist");
export const SAMPAN = join(DIST, "sampan");
export const SAMPAN_OCI = join(DIST, "sampan-oci");
export const KEEL = join(DIST, "keel");

export interface SandboxDirs {
  /** For the test's own files; `root` and `state` are beneath it. */
  dir: string;
  root: string;
  state: string;
}

/** A temporary directory that is removed on disposal; 0711, so that users of a user namespace may pass. */
export function createTempDir(prefix = "t-"): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(path, 0o711);
  return {
    path,
    [Symbol.dispose]() {
      removeTree(path);
    },
  };
}

export async function withSandboxDirs<T>(work: (dirs: SandboxDirs) => T | Promise<T>): Promise<T> {
  using temp = createTempDir("sandbox-");
  const dirs = { dir: temp.path, root: join(temp.path, "root"), state: join(temp.path, "state") };
  mkdirSync(dirs.root);
  mkdirSync(dirs.state, { mode: 0o700 });
  return await work(dirs);
}

export interface Sandbox extends SandboxDirs, AsyncDisposable {
  /** What points `sampan` at this sandbox. */
  env: Record<string, string>;
  /** Runs `sampan ARGS`; the exit code is the test's to judge. */
  sampan(args: string[], options?: CommandOptions): Promise<CommandResult>;
  /** Runs `sampan ARGS`, throws unless it ends with 0, and returns stdout without the last line break. */
  ok(args: string[], options?: CommandOptions): Promise<string>;
  /** Starts `sampan ARGS` on a pty of its own: see Pty. */
  pty(args: string[], options?: PtyOptions): Promise<Pty>;
  /** Starts `sampan ARGS` with piped streams and does not wait. Killed on disposal if still running. */
  start(args: string[], options?: Pick<CommandOptions, "env" | "cwd">): ChildProcess;
}

export interface SandboxOptions {
  env?: Record<string, string>;
  /** Another executable under test, e.g. a script that runs the library on Node. */
  executable?: string[];
}

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const executable = options.executable ?? [SAMPAN];
  if (!existsSync(executable[0] ?? "")) throw new Error(`Cannot test "${executable[0] ?? ""}": it is not built; run "npm run build".`);
  const temp = createTempDir("sandbox-");
  const dirs = { dir: temp.path, root: join(temp.path, "root"), state: join(temp.path, "state") };
  const env = { SAMPAN_ROOT: dirs.root, SAMPAN_STATE: dirs.state, ...options.env };
  const children = new Set<ChildProcess>();
  const withEnv = <T extends CommandOptions>(given?: T): CommandOptions => ({ ...given, env: { ...env, ...given?.env } });
  return {
    ...dirs,
    env,
    sampan: (args, given) => run([...executable, ...args], withEnv(given)),
    ok: async (args, given) => (await runOk([...executable, ...args], withEnv(given))).replace(/\n$/, ""),
    pty: (args, given) => openPty([...executable, ...args], { ...given, env: { ...env, ...given?.env } }),
    start(args, given) {
      const [file = "", ...rest] = [...executable, ...args];
      const child = spawn(file, rest, {
        stdio: ["pipe", "pipe", "pipe"],
        env: testEnv({ ...env, ...given?.env }),
        ...(given?.cwd === undefined ? {} : { cwd: given.cwd }),
      });
      children.add(child);
      child.once("exit", () => children.delete(child));
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      // Only an engine that was used has a state to clean.
      if (existsSync(dirs.state)) {
        const left = (await runOk([...executable, "ps", "-aq", "--no-trunc"], withEnv())).split("\n").filter((id) => id !== "");
        if (left.length > 0) await runOk([...executable, "rm", "-f", ...left], withEnv({ timeoutMs: 60_000 }));
      }
      await removeNetworking(dirs);
      const mounts = mountsBeneath(temp.path);
      if (mounts.length > 0) throw new Error(`The engine left mounts on the host: ${mounts.join(", ")}`);
      temp[Symbol.dispose]();
    },
  };
}

/** A network outlives its containers, as it should: bridges that the sandbox made on the machine, and its table, go with it. */
export async function removeNetworking({ root, state }: { readonly root: string; readonly state: string }): Promise<void> {
  const made = join(state, "networks");
  if (!existsSync(made)) return;
  for (const bridge of readdirSync(made)) if (existsSync(`/sys/class/net/${bridge}`)) await runOk(["ip", "link", "del", bridge]);
  const { table } = hostNamesOf(root);
  await runOk(["nft", "-f", "-"], { input: `add table inet ${table}\ndelete table inet ${table}\n` });
}

/** One command in a sandbox of its own; for tests that need nothing else. */
export async function sampan(args: string[], options?: CommandOptions): Promise<CommandResult> {
  await using sandbox = createSandbox();
  return await sandbox.sampan(args, options);
}
