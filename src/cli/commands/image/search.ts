import type { SearchResult } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { int } from "../../flags/flag.ts";
import { type ListView, formatList } from "../../output/list.ts";
import { ellipsis } from "../../output/tabs.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, formatFlag, noTruncFlag } from "../shared/flags.ts";

function searchView(truncate: boolean): ListView<SearchResult> {
  return {
    titles: { Name: "NAME", Description: "DESCRIPTION", StarCount: "STARS", IsOfficial: "OFFICIAL" },
    table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    quiet: "Name",
    fields: (result) => ({
      Name: () => result.name,
      Description: () => {
        const line = result.description.replaceAll(/[\r\n]+/g, " ");
        return truncate ? ellipsis(line, 45) : line;
      },
      StarCount: () => String(result.stars),
      IsOfficial: () => (result.official ? "[OK]" : ""),
    }),
  };
}

export const command = defineCommand({
  summary: "Search Docker Hub for images",
  usage: "[OPTIONS] TERM",
  flags: {
    filter: filterFlag("is-official=true, stars=3", "f"),
    format: formatFlag(),
    limit: int("Most results", { min: 1, max: 100 }),
    "no-trunc": noTruncFlag(),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { registries } = await context.engine();
    const results = await registries.search(args[0] ?? "", { limit: flags.limit, filters: collectFilters(flags.filter), signal: context.signal });
    context.io.out(formatList(searchView(!flags["no-trunc"]), results, flags));
    return 0;
  },
});
