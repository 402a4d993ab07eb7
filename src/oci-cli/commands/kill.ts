import { SampanError } from "../../base/errors.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { send, sendToPid } from "../send.ts";
import { parseSignal } from "../signals.ts";
import { loadContainer, statusOf } from "../state.ts";

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
    if (flags.has("all")) {
      // What a container without a pid namespace of its own leaves behind is reached so after its first process has gone.
      const { listPids } = await import("../../runtime/cgroups/operations.ts");
      for (const pid of state.cgroup ? listPids(state.cgroup.paths) : init ? [init.pid] : []) sendToPid(pid, signal);
      return 0;
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
