import { defineCommand } from "../../command.ts";
import { humanSize } from "../../output/human.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, forceFlag } from "../shared/flags.ts";
import { confirm, deletedText } from "../shared/prune.ts";

export const command = defineCommand({
  summary: "Remove all containers that do not run",
  usage: "[OPTIONS]",
  flags: { force: forceFlag("Do not ask"), filter: filterFlag("until=24h, label=KEY[=VALUE], label!=KEY") },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    if (!flags.force && !(await confirm(context, "WARNING! This will remove all stopped containers."))) return 1;
    const { containers } = await context.engine();
    const { deleted, reclaimedBytes } = await containers.prune({ filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(`${deletedText("Deleted Containers", deleted)}Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
    return 0;
  },
});
