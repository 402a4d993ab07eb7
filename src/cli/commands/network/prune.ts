import { defineCommand } from "../../command.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, forceFlag } from "../shared/flags.ts";
import { confirm, deletedText } from "../shared/prune.ts";

export const command = defineCommand({
  summary: "Remove all networks that nobody uses",
  usage: "[OPTIONS]",
  flags: { force: forceFlag("Do not ask"), filter: filterFlag("until=24h, label=KEY[=VALUE], label!=KEY") },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    if (!flags.force && !(await confirm(context, "WARNING! This will remove all custom networks not used by at least one container."))) return 1;
    const { networks } = await context.engine();
    const { deleted } = await networks.prune({ filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(deletedText("Deleted Networks", deleted));
    return 0;
  },
});
