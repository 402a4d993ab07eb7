import { SampanError } from "../../base/errors.ts";
import { parseRuntimeConfig } from "../../oci/parse-runtime-config.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { send, sendToPid } from "../send.ts";
import { parseSignal } from "../signals.ts";
import { loadContainer, statusOf, storedConfig } from "../state.ts";

function hasOwnPids(raw: Buffer, where: string): boolean {
  return (parseRuntimeConfig(raw, where).linux?.namespaces ?? []).some(({ type, path }) => type === "pid" && path === undefined);
}

export const command: Command = {
  summary: "Send a signal to a container's first process, SIGTERM unless another is named",
  usage: "[--all] ID [SIGNAL]",
  async run(context, words) {
    const flags = parseFlags("kill", words, ["all a"]);
    const [id = "", name = "SIGTERM"] = positional("kill", flags, ["container-id", "signal"], 1);
    const container = loadContainer(context.root, id);
    const signal = parseSignal(name);
    const { init, state } = container;
    const status = statusOf(container);
    // Without a pid namespace of its own the others do not die with the first process, nor before it: they are reached by the group.
    if (flags.has("all") || (signal === 9 && state.cgroup && !hasOwnPids(storedConfig(container.files), container.files.config))) {
      const { listPids, thaw } = await import("../../runtime/cgroups/operations.ts");
      const pids = state.cgroup ? listPids(state.cgroup.paths) : init ? [init.pid] : [];
      for (const pid of pids) sendToPid(pid, signal);
      if (signal === 9 && status === "paused" && state.cgroup) await thaw(state.cgroup.paths);
      if (flags.has("all") || pids.length > 0) return 0;
    }
    if (status === "stopped" || status === "creating" || !init || !send(init, signal))
      throw new SampanError("wrong-state", `Cannot kill container "${id}": container not running: it is ${status}`);
    // Frozen processes of cgroup v1 do not even die.
    if (signal === 9 && status === "paused" && state.cgroup) {
      const { thaw } = await import("../../runtime/cgroups/operations.ts");
      await thaw(state.cgroup.paths);
    }
    return 0;
  },
};
