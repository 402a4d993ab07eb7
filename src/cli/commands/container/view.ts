import { shortId } from "../../../base/ids.ts";
import type { ContainerSummary } from "../../../engine/api.ts";
import { goTime, humanAgo, humanDuration, humanSize } from "../../output/human.ts";
import { type ListView, formatLabels } from "../../output/list.ts";
import { ellipsis } from "../../output/tabs.ts";
import { formatPorts } from "./ports.ts";

export const containerTable = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/** "Up 5 minutes (healthy)", "Exited (0) 3 seconds ago", "Created": Docker's sentence about a container. */
export function formatStatus(container: ContainerSummary, nowMs: number): string {
  const { status, startedAtMs, finishedAtMs, exitCode, health } = container;
  const ended = `${finishedAtMs > 0 ? humanDuration(nowMs - finishedAtMs) : "Less than a second"} ago`;
  switch (status) {
    case "created":
      return "Created";
    case "running":
    case "paused": {
      const up = `Up ${humanDuration(nowMs - startedAtMs)}`;
      if (status === "paused") return `${up} (Paused)`;
      return health === "none" ? up : `${up} (${health === "starting" ? "health: starting" : health})`;
    }
    case "restarting":
      return `Restarting (${exitCode}) ${ended}`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "exited":
      return `Exited (${exitCode}) ${ended}`;
  }
}

/** What stands for a container where there is none to try a format on. */
export const noContainer: ContainerSummary = {
  id: "", name: "", image: "", imageId: "", command: [], createdAtMs: 0, status: "created", startedAtMs: 0, finishedAtMs: 0, exitCode: 0,
  health: "none", ports: [], labels: {}, mounts: [], networks: [],
};

/** A container as `ps` shows it. */
export function containerView({ truncate, nowMs }: { readonly truncate: boolean; readonly nowMs: number }): ListView<ContainerSummary> {
  return {
    titles: {
      ID: "CONTAINER ID", Names: "NAMES", Image: "IMAGE", Command: "COMMAND", CreatedAt: "CREATED AT", RunningFor: "CREATED", Ports: "PORTS",
      State: "STATE", Status: "STATUS", Size: "SIZE", Labels: "LABELS", Mounts: "MOUNTS", LocalVolumes: "LOCAL VOLUMES",
      Networks: "NETWORKS", HealthStatus: "HEALTH STATUS",
    },
    table: containerTable,
    quiet: "ID",
    methods: new Set(["Label"]),
    fields: (container) => ({
      ID: () => (truncate ? shortId(container.id) : container.id),
      Names: () => container.name,
      Image: () => formatImage(container, truncate),
      Command: () => {
        // Words with blanks are told apart by quotes, as by Docker's daemon.
        const line = container.command.map((word) => (word.includes(" ") ? `'${word}'` : word)).join(" ");
        return JSON.stringify(truncate ? ellipsis(line, 20) : line);
      },
      CreatedAt: () => goTime(container.createdAtMs),
      RunningFor: () => humanAgo(container.createdAtMs, nowMs),
      Ports: () => formatPorts(container.ports),
      State: () => container.status,
      Status: () => formatStatus(container, nowMs),
      Size: () => formatSize(container),
      Labels: () => formatLabels(container.labels),
      Label: (name: string) => container.labels[name] ?? "",
      Mounts: () => container.mounts.map(({ Name, Source }) => Name ?? Source).map((name) => (truncate ? ellipsis(name, 15) : name)).join(","),
      LocalVolumes: () => String(container.mounts.filter(({ Type }) => Type === "volume").length),
      Networks: () => container.networks.join(","),
      HealthStatus: () => (container.health === "none" ? "" : container.health),
    }),
  };
}

/** The name without its digest; an id in short. */
function formatImage({ image, imageId }: ContainerSummary, truncate: boolean): string {
  if (image === "") return "<no image>";
  if (!truncate) return image;
  const bare = image.replace(/^sha256:/, "");
  if (/^[0-9a-f]{12,64}$/.test(bare) && imageId.replace(/^sha256:/, "").startsWith(bare)) return shortId(bare);
  return image.replace(/@sha256:[0-9a-f]{64}$/, "");
}

function formatSize({ sizeRwBytes = 0, sizeRootFsBytes = 0 }: ContainerSummary): string {
  const own = humanSize(sizeRwBytes, 3);
  return sizeRootFsBytes > 0 ? `${own} (virtual ${humanSize(sizeRootFsBytes, 3)})` : own;
}
