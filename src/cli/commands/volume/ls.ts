import type { VolumeDetails } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { type ListView, formatLabels, formatList } from "../../output/list.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, formatFlag } from "../shared/flags.ts";

const volumeView: ListView<VolumeDetails> = {
  titles: { Name: "VOLUME NAME", Driver: "DRIVER", Scope: "SCOPE", Mountpoint: "MOUNTPOINT", Labels: "LABELS", Links: "LINKS", Size: "SIZE" },
  table: "{{.Driver}}\t{{.Name}}",
  quiet: "Name",
  methods: new Set(["Label"]),
  fields: (volume) => ({
    Name: () => volume.Name,
    Driver: () => volume.Driver,
    Scope: () => volume.Scope,
    Mountpoint: () => volume.Mountpoint,
    Labels: () => formatLabels(volume.Labels),
    Label: (name: string) => volume.Labels?.[name] ?? "",
    // Worked out by `system df` alone, as in Docker.
    Links: () => "N/A",
    Size: () => "N/A",
  }),
};

export const command = defineCommand({
  summary: "List volumes",
  usage: "[OPTIONS]",
  flags: { filter: filterFlag("dangling=true, name=, label=, driver=", "f"), format: formatFlag(), quiet: bool("Print names alone", { short: "q" }) },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { volumes } = await context.engine();
    const found = await volumes.list({ filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(formatList(volumeView, [...found].sort((a, b) => (a.Name < b.Name ? -1 : 1)), flags));
    return 0;
  },
});
