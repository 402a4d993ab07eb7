import { defineCommand } from "../../command.ts";
import { bool, int } from "../../flags/flag.ts";
import { formatList } from "../../output/list.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, formatFlag, noTruncFlag } from "../shared/flags.ts";
import { containerTable, containerView, noContainer } from "./view.ts";

export const command = defineCommand({
  summary: "List containers",
  usage: "[OPTIONS]",
  flags: {
    all: bool("Those that do not run too", { short: "a" }),
    filter: filterFlag("name=, status=, label=, ancestor=, network=, volume=, health=, exited=", "f"),
    format: formatFlag(),
    last: int("Only the newest n, running or not", { short: "n" }),
    latest: bool("Only the newest, running or not", { short: "l" }),
    "no-trunc": noTruncFlag(),
    quiet: bool("Print ids alone", { short: "q" }),
    size: bool("Print sizes too", { short: "s" }),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { containers } = await context.engine();
    const last = flags.latest ? 1 : flags.last !== undefined && flags.last > 0 ? flags.last : undefined;
    // A format that names the size asks for it, as in Docker.
    const size = flags.size || /\.Size\b/.test(flags.format ?? "");
    const found = await containers.list({ all: flags.all || last !== undefined, last, size, filters: collectFilters(flags.filter), signal: context.signal });
    const view = {
      ...containerView({ truncate: !flags["no-trunc"], nowMs: context.io.nowMs() }),
      table: flags.size ? `${containerTable}\t{{.Size}}` : containerTable,
    };
    if (found.length === 0 && !flags.quiet) formatList(view, [noContainer], flags); // a wrong format is told although there is nothing to print
    // Ids alone win over any format, as in Docker's ps.
    context.io.out(formatList(view, found, flags.quiet ? { quiet: true } : flags));
    return 0;
  },
});
