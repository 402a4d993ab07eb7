import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { humanSize } from "../../output/human.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, forceFlag } from "../shared/flags.ts";
import { confirm, deletedText } from "../shared/prune.ts";

export const command = defineCommand({
  summary: "Remove all volumes that no container uses",
  usage: "[OPTIONS]",
  flags: { all: bool("Those with a name too", { short: "a" }), filter: filterFlag("label=KEY[=VALUE], label!=KEY"), force: forceFlag("Do not ask") },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const warning = `WARNING! This will remove ${flags.all ? "all" : "anonymous"} local volumes not used by at least one container.`;
    if (!flags.force && !(await confirm(context, warning))) return 1;
    const { volumes } = await context.engine();
    const { deleted, reclaimedBytes } = await volumes.prune({ all: flags.all, filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(`${deletedText("Deleted Volumes", deleted)}Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
    return 0;
  },
});
