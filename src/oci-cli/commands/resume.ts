import { SampanError } from "../../base/errors.ts";
import { thaw } from "../../runtime/cgroups/operations.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { loadContainer, statusOf } from "../state.ts";

export const command: Command = {
  summary: "Let all processes of a paused container go on",
  usage: "ID",
  async run(context, words) {
    const [id = ""] = positional("resume", parseFlags("resume", words, []), ["container-id"]);
    const container = loadContainer(context.root, id);
    const status = statusOf(container);
    if (status !== "paused" || !container.state.cgroup)
      throw new SampanError("wrong-state", `Cannot resume container "${id}": container not paused: it is ${status}`);
    await thaw(container.state.cgroup.paths);
    return 0;
  },
};
