import { type Flag, bool, many, string } from "../../flags/flag.ts";
import { parseFilter } from "../../parse/filter.ts";

/** Flags that many commands have in common. */
export const filterFlag = (examples: string, short?: string): Flag<readonly (readonly [string, string])[]> =>
  many("filter", parseFilter, `Only those that match: ${examples}`, short === undefined ? {} : { short });

export const formatFlag = (short?: string): Flag<string | undefined> =>
  string('Print with a Go template, "json", "table" or "table TEMPLATE"', short === undefined ? {} : { short });

export const inspectFormatFlag = (short?: string): Flag<string | undefined> => string(
  'Print with a Go template, or "json"',
  short === undefined ? {} : { short },
);

export const forceFlag = (help: string): Flag<boolean> => bool(help, { short: "f" });
export const noTruncFlag = (): Flag<boolean> => bool("Print ids and texts in full");
