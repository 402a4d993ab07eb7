import { toJson } from "./json.ts";
import { unescapeTabs } from "./list.ts";
import { compileTemplate } from "./template/index.ts";

/** Text for values in Docker's inspect shape: an indented array, one JSON a line for "json", else one line of template each. */
export function inspectPrinter(format: string | undefined): (values: readonly unknown[]) => string {
  if (format === undefined || format === "") return (values) => `${toJson(values, "    ")}\n`;
  if (format === "json") return (values) => values.map((value) => `${toJson(value)}\n`).join("");
  // Compiled before anything is looked up, so that a bad format is told at once.
  const template = compileTemplate(unescapeTabs(format));
  return (values) => (values.length === 0 ? "\n" : values.map((value) => `${template.execute(value)}\n`).join(""));
}
