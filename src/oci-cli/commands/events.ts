import { SampanError } from "../../base/errors.ts";
import { oomKilled } from "../../runtime/cgroups/operations.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { loadContainer, statusOf } from "../state.ts";
import { statsOf } from "../stats.ts";
import { print as write } from "../io.ts";

/** "5s", "500ms", "1m", or plain seconds. */
function intervalMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const scale = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? "s"] ?? 1000;
  const value = Number(match?.[1]) * scale;
  if (!match || value < 1) throw new SampanError("invalid", `Cannot show events: duration interval "${text}" must be greater than 0, such as 5s`);
  return value;
}

export const command: Command = {
  summary: "Print a container's figures, once or at an interval, and tell when it runs out of memory",
  usage: "[--stats] [--interval DURATION] ID",
  async run(context, words) {
    const flags = parseFlags("events", words, ["stats", "interval="]);
    const [id = ""] = positional("events", flags, ["container-id"]);
    const pause = intervalMs(flags.value("interval") ?? "5s");
    const container = loadContainer(context.root, id);
    const paths = container.state.cgroup?.paths;
    if (statusOf(container) === "stopped") throw new SampanError("wrong-state", `Cannot show events of container "${id}": container is not running`);
    if (!paths) throw new SampanError("unsupported", `Cannot show events of container "${id}": it has no cgroup`);
    const print = (type: string, data?: unknown): void => {
      write(1, `${JSON.stringify({ type, id, ...(data === undefined ? {} : { data }) })}\n`);
    };
    if (flags.has("stats")) {
      print("stats", statsOf(paths));
      return 0;
    }
    let wasKilled = false;
    while (statusOf(loadContainer(context.root, id)) !== "stopped") {
      print("stats", statsOf(paths));
      await new Promise((resolve) => setTimeout(resolve, pause));
      const killed = oomKilled(paths);
      if (killed && !wasKilled) print("oom");
      wasKilled = killed;
    }
    return 0;
  },
};
