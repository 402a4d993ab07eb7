import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { humanSize } from "../../output/human.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, forceFlag } from "../shared/flags.ts";
import { confirm, deletedText } from "../shared/prune.ts";
import { removalLines } from "./removal.ts";

export const command = defineCommand({
  summary: "Remove images that nobody uses",
  usage: "[OPTIONS]",
  flags: {
    all: bool("Every image without a container, not only those without a name", { short: "a" }),
    filter: filterFlag("until=24h, label=KEY[=VALUE], label!=KEY"),
    force: forceFlag("Do not ask"),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const warning = flags.all
      ? "WARNING! This will remove all images without at least one container associated to them."
      : "WARNING! This will remove all dangling images.";
    if (!flags.force && !(await confirm(context, warning))) return 1;
    const { images } = await context.engine();
    const { removed, reclaimedBytes } = await images.prune({ all: flags.all, filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(`${deletedText("Deleted Images", removalLines(removed))}Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
    return 0;
  },
});
