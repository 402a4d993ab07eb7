import { shortId } from "../../../base/ids.ts";
import type { HistoryEntry } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool, string } from "../../flags/flag.ts";
import { humanAgo, humanSize, rfc3339 } from "../../output/human.ts";
import { type ListView, formatList } from "../../output/list.ts";
import { ellipsis } from "../../output/tabs.ts";
import { formatFlag, noTruncFlag } from "../shared/flags.ts";

function historyView({ truncate, human, nowMs }: { readonly truncate: boolean; readonly human: boolean; readonly nowMs: number }): ListView<HistoryEntry> {
  return {
    titles: { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY", Size: "SIZE", Comment: "COMMENT" },
    table: `{{.ID}}\t{{.${human ? "CreatedSince" : "CreatedAt"}}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
    quiet: "ID",
    fields: (entry) => {
      const createdBy = entry.createdBy.replaceAll("\t", " ");
      return {
        ID: () => (truncate ? shortId(entry.id.replace(/^sha256:/, "")) : entry.id),
        CreatedSince: () => (human ? humanAgo(entry.createdAtMs, nowMs) : rfc3339(entry.createdAtMs)),
        CreatedAt: () => rfc3339(entry.createdAtMs),
        CreatedBy: () => (truncate ? ellipsis(createdBy, 45) : createdBy),
        Size: () => (human ? humanSize(entry.sizeBytes, 3) : String(entry.sizeBytes)),
        Comment: () => entry.comment,
      };
    },
  };
}

export const command = defineCommand({
  summary: "List how an image came to be, layer by layer",
  usage: "[OPTIONS] IMAGE",
  flags: {
    format: formatFlag(),
    human: bool("Print sizes and times for people", { short: "H", initial: true, shownDefault: "true" }),
    "no-trunc": noTruncFlag(),
    platform: string("Choose a platform: os[/arch[/variant]]"),
    quiet: bool("Print ids alone", { short: "q" }),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { images } = await context.engine();
    const entries = await images.history(args[0] ?? "", { platform: flags.platform, signal: context.signal });
    const view = historyView({ truncate: !flags["no-trunc"], human: flags.human, nowMs: context.io.nowMs() });
    context.io.out(formatList(view, entries, flags));
    return 0;
  },
});
