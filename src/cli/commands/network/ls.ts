import { shortId } from "../../../base/ids.ts";
import type { NetworkDetails } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { type ListView, formatLabels, formatList } from "../../output/list.ts";
import { naturalOrder } from "../../output/natural.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, formatFlag, noTruncFlag } from "../shared/flags.ts";

function networkView(truncate: boolean): ListView<NetworkDetails> {
  return {
    titles: {
      ID: "NETWORK ID", Name: "NAME", Driver: "DRIVER", Scope: "SCOPE", IPv4: "IPV4", IPv6: "IPV6", Internal: "INTERNAL", Labels: "LABELS",
      CreatedAt: "CREATED AT",
    },
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "ID",
    methods: new Set(["Label"]),
    fields: (network) => ({
      ID: () => (truncate ? shortId(network.Id) : network.Id),
      Name: () => network.Name,
      Driver: () => network.Driver,
      Scope: () => network.Scope,
      IPv4: () => String(network.EnableIPv4),
      IPv6: () => String(network.EnableIPv6),
      Internal: () => String(network.Internal),
      Labels: () => formatLabels(network.Labels),
      Label: (name: string) => network.Labels[name] ?? "",
      // As Go prints a time that it has read from JSON.
      CreatedAt: () => network.Created.replace("T", " ").replace("Z", " +0000 UTC"),
    }),
  };
}

export const command = defineCommand({
  summary: "List networks",
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag("name=, driver=, id=, label=, dangling=, type=custom|builtin", "f"),
    format: formatFlag(),
    "no-trunc": noTruncFlag(),
    quiet: bool("Print ids alone", { short: "q" }),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { networks } = await context.engine();
    const found = await networks.list({ filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(formatList(networkView(!flags["no-trunc"]), [...found].sort((a, b) => naturalOrder(a.Name, b.Name)), flags));
    return 0;
  },
});
