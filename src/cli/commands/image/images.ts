import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { formatList } from "../../output/list.ts";
import { collectFilters } from "../../parse/filter.ts";
import { filterFlag, formatFlag, noTruncFlag } from "../shared/flags.ts";
import { imageLines, imageView } from "./view.ts";

export const command = defineCommand({
  summary: "List images",
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: {
    all: bool("Intermediate images too", { short: "a" }),
    digests: bool("Print digests too"),
    filter: filterFlag("dangling=true, label=, reference=, before=, since=", "f"),
    format: formatFlag(),
    "no-trunc": noTruncFlag(),
    quiet: bool("Print ids alone", { short: "q" }),
  },
  args: { min: 0, max: 1 },
  async run(context, { flags, args }) {
    const { images } = await context.engine();
    const [reference] = args;
    const filters = collectFilters([...flags.filter, ...(reference === undefined ? [] : [["reference", reference] as const])]);
    const found = await images.list({ all: flags.all, filters, signal: context.signal });
    const digests = flags.digests || /\.Digest\b/.test(flags.format ?? "");
    const lines = imageLines(found, digests);
    const view = imageView({ truncate: !flags["no-trunc"], nowMs: context.io.nowMs(), digests: flags.digests });
    // Ids alone would say the same image once per tag; Docker does too, and scripts remove duplicates themselves.
    context.io.out(formatList(view, lines, flags));
    return 0;
  },
});
