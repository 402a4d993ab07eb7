/**
 * The one place where processes are started on the way to a container. In a compiled Bun program loading and using
 * `node:child_process` costs 5–7 ms, `Bun.spawn` with plain descriptors 1–2 ms; everything else here is `node:`.
 */
export interface Spawned {
  readonly pid: number;
  /** Exit code, or 128 + signal number. */
  readonly exited: Promise<number>;
  kill(signal: number): void;
}

export interface SpawnOptions {
  /** Descriptors of ours that become 0, 1, 2, … of the program; "ignore" is /dev/null. */
  readonly stdio: readonly (number | "ignore")[];
  readonly env: Record<string, string>;
  readonly argv0?: string;
}

interface BunSpawn {
  spawn(options: {
    cmd: string[];
    stdio: (number | "ignore")[];
    env: Record<string, string>;
    argv0?: string;
  }): { pid: number; exited: Promise<number>; signalCode: string | null; kill(signal: number): void };
}

/** Starts a program with exactly these descriptors. Throws what the runtime throws if it cannot be executed. */
export async function spawnProcess(path: string, args: readonly string[], options: SpawnOptions): Promise<Spawned> {
  // Bun's types and Node's do not know each other; the global is the documented way to tell them apart.
  const bun = (globalThis as { Bun?: BunSpawn }).Bun;
  if (bun) {
    const child = bun.spawn({
      cmd: [path, ...args],
      stdio: [...options.stdio],
      env: options.env,
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
    });
    return { pid: child.pid, exited: child.exited, kill: (signal) => { child.kill(signal); } };
  }
  const [{ spawn }, { constants }] = await Promise.all([import("node:child_process"), import("node:os")]);
  const child = spawn(path, args, {
    stdio: [...options.stdio],
    env: options.env,
    ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => { resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]); });
  });
  if (child.pid === undefined) await exited;
  return { pid: child.pid ?? 0, exited, kill: (signal) => { process.kill(child.pid ?? 0, signal); } };
}
