/** Layers on a real disk, for tests: a sink and a walker over a small Python program, since they need calls that JavaScript has not. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { ByteString } from "../../src/storage/tar/index.ts";
import type { LayerOp, LayerSink, TreeEntry, TreeWalker } from "../../src/storage/layers/index.ts";
import { runOk } from "./command.ts";

const PROGRAM = `${import.meta.dirname}/layer_disk.py`;

/** Carries ops out beneath `directory`, which must exist. Only the last flush tells of failures. */
export class DiskSink implements LayerSink {
  readonly full = false;
  readonly borrowed = undefined;
  #lines: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  push(op: LayerOp): void {
    this.#lines.push(JSON.stringify(op.op === "write" ? { ...op, data: Buffer.from(op.data).toString("base64") } : op));
  }

  async flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length === 0) return;
    await runOk(["python3", PROGRAM, "apply", this.#directory], { input: `${lines.join("\n")}\n`, timeoutMs: 120_000 });
  }
}

type Facts = Omit<TreeEntry, "xattrs" | "open" | "inode"> & { xattrs: Record<string, string>; inode: string | null };

/** A tree on disk. */
export function diskTree(directory: string): TreeWalker {
  return {
    async *walk() {
      const output = await runOk(["python3", PROGRAM, "walk", directory], { timeoutMs: 120_000 });
      for (const line of output.trim().split("\n")) {
        const facts = JSON.parse(line) as Facts; // written by our own program
        const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(facts.path, "latin1")]);
        yield {
          ...facts,
          inode: facts.inode ?? undefined,
          xattrs: new Map(Object.entries(facts.xattrs) as [ByteString, ByteString][]), // one character per byte
          async *open() {
            // Not createReadStream: Bun's takes no path that is not UTF-8.
            yield await readFile(path);
          },
        };
      }
    },
  };
}

/** Layer directories as one tree, bottom first, mounted read-only in a mount namespace of its own; `root` is where to see it. */
export async function mountLayers(layers: readonly string[], mountpoint: string): Promise<AsyncDisposable & { root: string }> {
  const script = `mount -t overlay overlay -o ro,lowerdir=${[...layers].reverse().join(":")} ${mountpoint} && echo mounted && exec sleep 600`;
  const child: ChildProcess = spawn("unshare", ["-m", "--propagation", "private", "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout === null || child.pid === undefined) throw new Error("unshare did not start");
  await once(child.stdout, "data");
  return {
    root: `/proc/${child.pid}/root${mountpoint}`,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
