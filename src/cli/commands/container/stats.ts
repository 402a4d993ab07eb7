import { shortId } from "../../../base/ids.ts";
import type { ContainerStats } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { bytesSize, humanSize, toFixedEven } from "../../output/human.ts";
import { type ListView, formatList } from "../../output/list.ts";
import { formatFlag, noTruncFlag } from "../shared/flags.ts";

function statsView(truncate: boolean): ListView<ContainerStats> {
  return {
    titles: {
      Container: "CONTAINER", Name: "NAME", ID: "CONTAINER ID", CPUPerc: "CPU %", MemUsage: "MEM USAGE / LIMIT", MemPerc: "MEM %",
      NetIO: "NET I/O", BlockIO: "BLOCK I/O", PIDs: "PIDS",
    },
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "ID",
    fields: (stats) => ({
      Container: () => stats.asked,
      Name: () => stats.name,
      ID: () => (truncate ? shortId(stats.id) : stats.id),
      CPUPerc: () => percent(stats.cpuPercent),
      MemUsage: () => `${bytesSize(stats.memoryBytes)} / ${bytesSize(stats.memoryLimitBytes)}`,
      MemPerc: () => percent(stats.memoryLimitBytes === 0 ? 0 : (stats.memoryBytes / stats.memoryLimitBytes) * 100),
      NetIO: () => `${humanSize(stats.networkReceivedBytes, 3)} / ${humanSize(stats.networkSentBytes, 3)}`,
      BlockIO: () => `${humanSize(stats.blockReadBytes, 3)} / ${humanSize(stats.blockWrittenBytes, 3)}`,
      PIDs: () => String(stats.pids),
    }),
  };
}

function percent(value: number): string {
  return `${toFixedEven(value, 2)}%`;
}

export const command = defineCommand({
  summary: "Show what containers use of CPU, memory, network and disks, live",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: bool("Those that do not run too", { short: "a" }),
    format: formatFlag(),
    "no-stream": bool("Print once"),
    "no-trunc": noTruncFlag(),
  },
  args: { min: 0, max: Infinity },
  async run(context, { flags, args }) {
    const { io } = context;
    const { containers } = await context.engine();
    const view = statsView(!flags["no-trunc"]);
    const redraws = io.isTerminal(1) && !flags["no-stream"] && (flags.format ?? "").trim() !== "json";
    try {
      for await (const frame of containers.stats(args, { all: flags.all, stream: !flags["no-stream"], signal: context.signal })) {
        const text = formatList(view, frame, flags);
        // Home, the frame with each line cleared to its end, and away with what a longer frame left below.
        io.out(redraws ? `\u001b[H${text.replaceAll("\n", "\u001b[K\n")}\u001b[J` : text);
        if (flags["no-stream"]) break;
      }
    } catch (error) {
      if (!context.signal.aborted) throw error;
    }
    return 0;
  },
});
