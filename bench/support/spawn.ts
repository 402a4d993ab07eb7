/** Starts and talks to the spawners. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inPrivateMounts } from "../../test/support/peers/hybrid.ts";
import type { SpawnAnswer, SpawnRequest } from "./spawner.ts";

export interface Spawner extends AsyncDisposable {
  run(request: SpawnRequest): Promise<SpawnAnswer>;
}

export function startSpawner(dir: string, privateMounts: boolean): Spawner {
  const own = [process.execPath, join(import.meta.dirname, "spawner.ts"), join(dir, privateMounts ? "private.stderr" : "host.stderr")];
  const [file = "", ...args] = privateMounts ? inPrivateMounts(own) : own;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: PromiseWithResolvers<SpawnAnswer>[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    waiting.shift()?.resolve(JSON.parse(line) as SpawnAnswer); // spawner.ts writes it
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      for (const answer of waiting.splice(0)) answer.reject(new Error(`The spawner ended with ${code ?? signal}.`));
      resolve();
    });
  });
  return {
    run(request) {
      const answer = Promise.withResolvers<SpawnAnswer>();
      waiting.push(answer);
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer.promise;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
