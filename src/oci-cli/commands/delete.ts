import { SampanError } from "../../base/errors.ts";
import { parseRuntimeConfig } from "../../oci/parse-runtime-config.ts";
import { isAlive } from "../../runtime/processes.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { send } from "../send.ts";
import type { Container } from "../state.ts";
import { checkId, filesOf, loadContainer, removeFiles, statusOf, storedConfig } from "../state.ts";

export const command: Command = {
  summary: "Remove a stopped container, with --force also one that is not",
  usage: "[--force] ID",
  async run(context, words) {
    const flags = parseFlags("delete", words, ["force f"]);
    const [id = ""] = positional("delete", flags, ["container-id"]);
    const force = flags.has("force");
    let container: Container;
    try {
      container = loadContainer(context.root, id);
    } catch (error) {
      if (!force || !(error instanceof SampanError) || error.kind !== "not-found") throw error;
      // A creation that was cut short before it wrote anything down leaves a name that is taken.
      removeFiles(filesOf(context.root, checkId(id)));
      return 0;
    }
    const status = statusOf(container);
    if (status !== "stopped" && !force) throw new SampanError("wrong-state", `Cannot delete container "${id}" that is not stopped: it is ${status}`);
    const { init, state } = container;
    if (init && isAlive(init)) {
      send(init, 9);
      if (status === "paused" && state.cgroup) await (await import("../../runtime/cgroups/operations.ts")).thaw(state.cgroup.paths);
      await ended(init, id);
    }
    const raw = storedConfig(container.files);
    const { destroy } = await import("../destroy.ts");
    await destroy(context, container, raw.includes('"poststop"') ? parseRuntimeConfig(raw, container.files.config) : undefined);
    return 0;
  },
};

async function ended(init: NonNullable<Container["init"]>, id: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (let pauseMs = 1; isAlive(init); pauseMs = Math.min(20, pauseMs * 2)) {
    if (performance.now() > deadline) throw new SampanError("unavailable", `Cannot delete container "${id}": its process ${init.pid} does not die`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
