import { SampanError } from "../../base/errors.ts";
import { freeze } from "../../runtime/cgroups/operations.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { loadContainer, statusOf } from "../state.ts";

export const command: Command = {
  summary: "Stop all processes of a container where they are",
  usage: "ID",
  async run(context, words) {
    const [id = ""] = positional("pause", parseFlags("pause", words, []), ["container-id"]);
    const container = loadContainer(context.root, id);
    const status = statusOf(container);
    if (status !== "running" && status !== "created")
      throw new SampanError("wrong-state", `Cannot pause container "${id}": container not running or created: ${status}`);
    if (!container.state.cgroup) throw new SampanError("unsupported", `Cannot pause container "${id}": it has no cgroup`);
    await freeze(container.state.cgroup.paths);
    return 0;
  },
};
