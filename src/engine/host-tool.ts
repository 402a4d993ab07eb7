import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { spawnProcess } from "../plan/spawn.ts";
import type { EngineContext } from "./context.ts";

/** A program of the host's: text in by a descriptor, text out by another, no pipes to wait on. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TOOL_DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/** Where a program of the host's is; undefined if it is not installed. Not the caller's PATH: this runs as root. */
export function findTool(name: string): string | undefined {
  return TOOL_DIRECTORIES.map((directory) => `${directory}/${name}`).find((path) => existsSync(path));
}

let serial = 0; // names of files that exist for a moment, unique within this process

function scratch(context: EngineContext): number {
  const { state } = context.options;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const path = `${state}/tool.${process.pid}.${++serial}`;
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return fd;
}

function readAll(fd: number): string {
  const buffer = Buffer.alloc(fstatSync(fd).size);
  const size = buffer.length === 0 ? 0 : readSync(fd, buffer, 0, buffer.length, 0);
  return buffer.toString("utf8", 0, size);
}

export async function runTool(context: EngineContext, path: string, args: readonly string[], input = ""): Promise<ToolResult> {
  const fds: number[] = [];
  try {
    for (let i = 0; i < 3; i++) fds.push(scratch(context));
    const [stdin = 0, stdout = 1, stderr = 2] = fds;
    // At offset 0: the position, which the program shares, stays at the beginning.
    const bytes = Buffer.from(input);
    // Until it says why it takes no more: half of a text of rules may well be rules.
    for (let done = 0; done < bytes.length;) done += writeSync(stdin, bytes, done, bytes.length - done, done);
    const child = await spawnProcess(path, args, { stdio: [stdin, stdout, stderr], env: { PATH: TOOL_DIRECTORIES.join(":"), LC_ALL: "C" } });
    const code = await child.exited;
    return { code, stdout: readAll(stdout), stderr: readAll(stderr) };
  } finally {
    fds.forEach((fd) => { closeSync(fd); });
  }
}
