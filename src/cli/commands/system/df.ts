import type { DiskUsage, VolumeUsage } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { humanSize } from "../../output/human.ts";
import { toJson } from "../../output/json.ts";
import { type ListView, formatLabels, formatList } from "../../output/list.ts";
import { containerView } from "../container/view.ts";
import { imageLines, imageView } from "../image/view.ts";
import { formatFlag } from "../shared/flags.ts";

interface UsageLine {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly bytes: number;
  readonly reclaimableBytes: number;
}

const usageView: ListView<UsageLine> = {
  titles: { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" },
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
  quiet: "Type",
  fields: ({ type, total, active, bytes, reclaimableBytes }) => ({
    Type: () => type,
    TotalCount: () => String(total),
    Active: () => String(active),
    Size: () => humanSize(bytes),
    Reclaimable: () => humanSize(reclaimableBytes) + (bytes > 0 ? ` (${Math.trunc((reclaimableBytes * 100) / bytes)}%)` : ""),
  }),
};

/** Docker's sums: an image is active while a container has it, and what its layers share with no other can be won back. */
function usageLines({ images, layersBytes, containers, volumes }: DiskUsage): UsageLine[] {
  const sum = <T>(items: readonly T[], bytes: (item: T) => number): number => items.reduce((total, item) => total + bytes(item), 0);
  const usedImages = images.filter(({ containers: count }) => count > 0);
  const activeImageBytes = sum(usedImages, ({ sizeBytes, sharedBytes }) => sizeBytes - Math.max(0, sharedBytes));
  const running = containers.filter(({ status }) => status === "running" || status === "paused" || status === "restarting");
  const usedVolumes = volumes.filter(({ UsageCount }) => UsageCount > 0);
  const own = ({ sizeRwBytes = 0 }: DiskUsage["containers"][number]): number => sizeRwBytes;
  const containerBytes = sum(containers, own);
  const volumeBytes = sum(volumes, ({ UsageBytes }) => UsageBytes);
  return [
    { type: "Images", total: images.length, active: usedImages.length, bytes: layersBytes, reclaimableBytes: Math.max(0, layersBytes - activeImageBytes) },
    { type: "Containers", total: containers.length, active: running.length, bytes: containerBytes, reclaimableBytes: containerBytes - sum(running, own) },
    {
      type: "Local Volumes",
      total: volumes.length,
      active: usedVolumes.length,
      bytes: volumeBytes,
      reclaimableBytes: volumeBytes - sum(usedVolumes, ({ UsageBytes }) => UsageBytes),
    },
  ];
}

const volumeUsageView: ListView<VolumeUsage> = {
  titles: { Name: "VOLUME NAME", Driver: "DRIVER", Links: "LINKS", Size: "SIZE", Labels: "LABELS", Mountpoint: "MOUNTPOINT" },
  table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
  quiet: "Name",
  fields: (volume) => ({
    Name: () => volume.Name,
    Driver: () => volume.Driver,
    Links: () => String(volume.UsageCount),
    Size: () => humanSize(volume.UsageBytes),
    Labels: () => formatLabels(volume.Labels),
    Mountpoint: () => volume.Mountpoint,
  }),
};

function formatVerbose(usage: DiskUsage, nowMs: number): string {
  const images = {
    ...imageView({ truncate: true, nowMs, digests: false }),
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
  };
  const containers = {
    ...containerView({ truncate: true, nowMs }),
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
  };
  return [
    `Images space usage:\n\n${formatList(images, imageLines(usage.images, false), {})}`,
    `\nContainers space usage:\n\n${formatList(containers, usage.containers, {})}`,
    `\nLocal Volumes space usage:\n\n${formatList(volumeUsageView, usage.volumes, {})}`,
  ].join("");
}

function verboseRecord(usage: DiskUsage, nowMs: number): unknown {
  const rows = <T>(view: ListView<T>, items: readonly T[]): unknown[] =>
    formatList(view, items, { format: "json" }).split("\n").filter((line) => line !== "").map((line): unknown => JSON.parse(line));
  return {
    Images: rows(imageView({ truncate: false, nowMs, digests: true }), imageLines(usage.images, false)),
    Containers: rows(containerView({ truncate: false, nowMs }), usage.containers),
    Volumes: rows(volumeUsageView, usage.volumes),
  };
}

export const command = defineCommand({
  summary: "Show what images, containers and volumes take of the disk",
  usage: "[OPTIONS]",
  flags: { format: formatFlag(), verbose: bool("One line for each", { short: "v" }) },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { io } = context;
    const { system } = await context.engine();
    const usage = await system.diskUsage({ signal: context.signal });
    if (!flags.verbose) io.out(formatList(usageView, usageLines(usage), flags));
    else if (flags.format === undefined || flags.format === "table") io.out(formatVerbose(usage, io.nowMs()));
    else if (flags.format === "json") io.out(`${toJson(verboseRecord(usage, io.nowMs()))}\n`);
    else {
      const { compileTemplate } = await import("../../output/template/index.ts");
      io.out(`${compileTemplate(flags.format).execute(verboseRecord(usage, io.nowMs()))}\n`);
    }
    return 0;
  },
});
