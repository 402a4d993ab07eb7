import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";

/** A network namespace of a test's own, with lo up and a process in it; gone when the scope ends. */
export interface Netns extends AsyncDisposable {
  readonly name: string;
  /** Of a process that does nothing but be in the namespace. */
  readonly pid: number;
  /** Runs a command there; throws with its stderr when it fails. */
  run(...argv: string[]): string;
  /** Runs it, whatever comes of it. */
  attempt(argv: string[], input?: string): { code: number; stdout: string; stderr: string };
  /** Starts it; it is killed with the namespace. Resolves when it has printed a line. */
  serve(...argv: string[]): Promise<void>;
  /** `ip -j …` as a value. */
  ip(...argv: string[]): unknown;
}

let count = 0;

export async function createNetns(): Promise<Netns> {
  const name = `spt${process.pid}n${count++}`;
  must(spawnSync("ip", ["netns", "add", name], { encoding: "utf8" }), `ip netns add ${name}`);
  const children: ChildProcess[] = [];
  const start = async (argv: string[]): Promise<ChildProcess> => {
    const child = spawn("ip", ["netns", "exec", name, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("exit", (code) => reject(new Error(`${argv.join(" ")} ended with ${code}`)));
    });
    return child;
  };
  const attempt: Netns["attempt"] = (argv, input) => {
    const r = spawnSync("ip", ["netns", "exec", name, ...argv], { encoding: "utf8", input: input ?? "", timeout: 20_000 });
    return { code: r.status ?? -1, stdout: r.stdout, stderr: r.stderr };
  };
  const run: Netns["run"] = (...argv) => {
    const r = attempt(argv);
    if (r.code !== 0) throw new Error(`${argv.join(" ")}: exit ${r.code}: ${r.stderr}`);
    return r.stdout;
  };
  run("ip", "link", "set", "lo", "up");
  const idle = await start(["sh", "-c", "echo; exec sleep 600"]);
  return {
    name,
    pid: idle.pid ?? 0,
    run,
    attempt,
    ip: (...argv) => JSON.parse(run("ip", "-j", ...argv) || "[]") as unknown,
    serve: async (...argv) => void (await start(argv)),
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      })));
      must(spawnSync("ip", ["netns", "del", name], { encoding: "utf8" }), `ip netns del ${name}`);
    },
  };
}

function must(result: { status: number | null; stderr: string }, what: string): void {
  if (result.status !== 0) throw new Error(`${what}: ${result.stderr}`);
}
