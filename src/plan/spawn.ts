/**
 * The one place where processes are started on the way to a container. In a compiled Bun program loading and using
 * `node:child_process` costs 5–7 ms, `Bun.spawn` with plain descriptors 1–2 ms; everything else here is `node:`.
 */
export interface Spawned {
  readonly pid: number;
  /** Exit code, or 128 + signal number. */
  readonly exited: Promise<number>;
  kill(signal: number): void;
  /** What is written to the n-th descriptor where that was to be a pipe. */
  output(n: number): AsyncIterable<Uint8Array> | undefined;
  /** The other end of descriptor 0 where that was to be a pipe. */
  readonly input: InputPipe | undefined;
}

export interface InputPipe {
  /** Resolves when there is room for more; rejects when nobody reads any longer. */
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
}

/** A descriptor of ours, /dev/null, or a new pipe with its other end here. */
export type Stdio = number | "ignore" | "pipe";

export interface SpawnOptions {
  /** What becomes 0, 1, 2, … of the program. */
  readonly stdio: readonly Stdio[];
  readonly env: Record<string, string>;
  readonly argv0?: string;
}

interface BunChild {
  pid: number;
  exited: Promise<number>;
  kill(signal: number): void;
  stdin?: { write(bytes: Uint8Array): unknown; flush(): unknown; end(): unknown } | number | null;
  stdout?: AsyncIterable<Uint8Array> | number | null;
  stderr?: AsyncIterable<Uint8Array> | number | null;
}

interface BunSpawn {
  spawn(options: { cmd: string[]; stdio: Stdio[]; env: Record<string, string>; argv0?: string }): BunChild;
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
    return {
      pid: child.pid, exited: child.exited, kill: (signal) => { child.kill(signal); },
      output: (n) => { const stream = n === 1 ? child.stdout : child.stderr; return typeof stream === "object" && stream !== null ? stream : undefined; },
      get input() { return bunInput(child); },
    };
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
  return {
    pid: child.pid ?? 0, exited, kill: (signal) => { process.kill(child.pid ?? 0, signal); },
    output: (n) => (n === 1 ? child.stdout : child.stderr) ?? undefined,
    get input() {
      const { stdin } = child;
      if (stdin === null) return undefined;
      stdin.on("error", () => undefined); // told by the write that failed
      return {
        write: (bytes: Uint8Array) => new Promise<void>((resolve, reject) => { stdin.write(bytes, (error) => { if (error) reject(error); else resolve(); }); }),
        end: () => { stdin.end(); },
      };
    },
  };
}

function bunInput({ stdin }: BunChild): InputPipe | undefined {
  if (typeof stdin !== "object" || stdin === null) return undefined;
  return {
    async write(bytes) {
      await stdin.write(bytes);
      await stdin.flush();
    },
    end: () => { stdin.end(); },
  };
}
