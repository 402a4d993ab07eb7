import { closeSync, constants, existsSync, openSync, readSync, writeSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import type { Running } from "../plan/index.ts";
import { isAlive } from "../runtime/processes.ts";
import type { Context } from "./context.ts";
import { runHooks } from "./destroy.ts";
import type { ContainerFiles, StoredState } from "./state.ts";
import { readInit } from "./state.ts";

/**
 * Runs the prestart and createRuntime hooks from here, when the container's environment is built. Gives what failed; then the
 * first process, which waits for them, has been killed. Nothing is run where the creation ends before.
 */
export async function runHostHooks(
  context: Context,
  { state, files, config }: { state: StoredState; files: ContainerFiles; config: RuntimeConfig },
  running: Running,
): Promise<Error | undefined> {
  const { built, hooked } = files;
  let over = false;
  const end = (): void => { over = true; };
  running.finished.then(end, end);
  let ask: number | undefined;
  try {
    for (const byte = Buffer.alloc(1); ; ) {
      ask ??= existsSync(built) ? openSync(built, constants.O_RDONLY | constants.O_NONBLOCK) : undefined;
      if (ask !== undefined && isReadable(ask, byte)) break;
      if (over) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const kind of ["prestart", "createRuntime"] as const) await runHooks(context, { state, files, init: readInit(files) }, config, kind, "creating");
    const answer = openSync(hooked, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(answer, "g");
    closeSync(answer);
    return undefined;
  } catch (error) {
    const init = readInit(files);
    if (init && isAlive(init)) process.kill(init.pid, "SIGKILL");
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    if (ask !== undefined) closeSync(ask);
  }
}

function isReadable(fd: number, byte: Buffer): boolean {
  try {
    return readSync(fd, byte, 0, 1, null) === 1;
  } catch (error) {
    if (errnoOf(error) === "EAGAIN") return false;
    throw error;
  }
}
