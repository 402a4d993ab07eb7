import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { parseRuntimeConfig } from "../../oci/parse-runtime-config.ts";
import { isAlive } from "../../runtime/processes.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import type { Container } from "../state.ts";
import { loadContainer, statusOf, storedConfig } from "../state.ts";

export const command: Command = {
  summary: "Let the program of a created container run",
  usage: "ID",
  async run(context, words) {
    const [id = ""] = positional("start", parseFlags("start", words, []), ["container-id"]);
    const container = loadContainer(context.root, id);
    const status = statusOf(container);
    const refuse = (reason: string): never => {
      throw new SampanError("wrong-state", `Cannot start container "${id}": ${reason}`);
    };
    if (status === "stopped") refuse("cannot start a container that has stopped");
    if (status === "creating") refuse("cannot start a container that is still being created");
    if (status !== "created") refuse(`cannot start an already running container: it is ${status}`);
    const raw = storedConfig(container.files);
    const config = raw.includes('"poststart"') || !raw.includes('"process"') ? parseRuntimeConfig(raw, container.files.config) : undefined;
    if (config && !config.process) refuse("its config has no process");
    try {
      passGate(container, refuse);
    } catch (error) {
      // runtime.md "Lifecycle", 7: after a startContainer hook that failed the container is destroyed.
      if (raw.includes('"startContainer"') && error instanceof SampanError && error.kind === "invalid") {
        const { destroy } = await import("../destroy.ts");
        await destroy(context, container, parseRuntimeConfig(raw, container.files.config));
      }
      throw error;
    }
    if (!config?.hooks?.poststart) return 0;
    const { runHooks } = await import("../destroy.ts");
    try {
      await runHooks(context, container, config, "poststart", "running");
    } catch (error) {
      // runtime.md "Lifecycle", 9: the container is stopped, and destroyed.
      const { destroy } = await import("../destroy.ts");
      if (container.init && isAlive(container.init)) process.kill(container.init.pid, "SIGKILL");
      await destroy(context, container, config);
      throw error;
    }
    return 0;
  },
};

/** Whoever removes the gate is the one that starts the container. Returns when the program runs. */
function passGate({ files }: Container, refuse: (reason: string) => never): void {
  const opened: number[] = [];
  const open = (path: string, flags: number): number => {
    const fd = openSync(path, flags);
    opened.push(fd);
    return fd;
  };
  try {
    const gate = open(files.gate, constants.O_WRONLY | constants.O_NONBLOCK);
    // Opening a FIFO to read waits for a writer; the process may have just gone, so for that moment we are one ourselves.
    const writer = open(files.told, constants.O_RDWR);
    const told = open(files.told, constants.O_RDONLY);
    closeSync(writer);
    opened.splice(opened.indexOf(writer), 1);
    unlinkSync(files.gate);
    unlinkSync(files.told);
    writeSync(gate, "g");
    const text = readAll(told);
    if (text !== "") throw new SampanError("invalid", text);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") refuse("another start was first");
    if (errno === "ENXIO" || errno === "EPIPE") refuse("its process has gone");
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** To end-of-file: nothing, once the program runs. */
function readAll(fd: number): string {
  const buffer = Buffer.alloc(4096);
  let text = "";
  for (let size = -1; size !== 0; text += buffer.toString("utf8", 0, size)) size = readSync(fd, buffer, 0, buffer.length, null);
  return text;
}
