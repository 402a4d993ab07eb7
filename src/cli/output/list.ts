import { SampanError } from "../../base/errors.ts";
import { toJson } from "./json.ts";
import { alignTabs } from "./tabs.ts";
import { type Template, compileTemplate } from "./template/index.ts";
import { formatValue } from "./template/value.ts";

/** How items of one kind are listed: the fields that a format may name, their titles, the default table. */
export interface ListView<T> {
  /** Field → title, for every field of `fields`. */
  readonly titles: Readonly<Record<string, string>>;
  /** The default table, without the word "table". */
  readonly table: string;
  /** The one field that `--quiet` prints. */
  readonly quiet: string;
  /** Each field as a function, so that only those a format names are worked out. Methods with arguments are allowed. */
  fields(item: T): Record<string, (...args: never[]) => unknown>;
  /** Methods that `json` leaves out. */
  readonly methods?: ReadonlySet<string>;
}

export interface ListFormat {
  /** What `--format` said, if anything: "table", "json", "table TEMPLATE", TEMPLATE. */
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/**
 * The whole text of a list. Throws SampanError "invalid" for a bad format, exit code 1 as Docker's lists.
 */
export function formatList<T>(view: ListView<T>, items: readonly T[], { format = "", quiet = false }: ListFormat): string {
  const wanted = format.trim();
  if (wanted === "json") return items.map((item) => `${toJson(record(view, item))}\n`).join("");
  const isTable = /^table\b/.test(wanted) || wanted === "";
  if (quiet && isTable) return items.map((item) => `${formatValue(view.fields(item)[view.quiet]?.())}\n`).join("");
  const source = isTable ? wanted.replace(/^table/, "").trim() : wanted;
  const plain = source === "" ? plainFields(view.table) : undefined;
  if (plain !== undefined) return alignTabs(plainTable(view, items, plain));
  const text = unescapeTabs(source === "" ? view.table : source);
  try {
    const template = compileTemplate(text);
    const lines = items.map((item) => `${template.execute(templateItem(view, item))}\n`).join("");
    if (!isTable) return lines;
    return alignTabs(`${headerOf(template, view.titles)}\n${lines}`);
  } catch (error) {
    if (error instanceof SampanError && error.kind === "invalid") throw new SampanError("invalid", error.message, { exitCode: 1, cause: error });
    throw error;
  }
}

/** The fields of a template that is nothing but fields between tabs, as the tables that are printed unasked are. */
function plainFields(table: string): string[] | undefined {
  const fields = table.split("\t").map((cell) => /^\{\{\.([A-Za-z]+)\}\}$/.exec(cell)?.[1]);
  return fields.every((field) => field !== undefined) ? fields : undefined;
}

/** What the template engine would give for it, at a tenth of the cost: `ps` is called all the time. */
function plainTable<T>(view: ListView<T>, items: readonly T[], names: readonly string[]): string {
  const lines = items.map((item) => {
    const fields = view.fields(item);
    return names.map((name) => formatValue(fields[name]?.())).join("\t");
  });
  return `${[names.map((name) => view.titles[name] ?? "").join("\t"), ...lines].join("\n")}\n`;
}

/** A format that makes sense of values may make none of titles: then there is none, as in Docker. */
function headerOf(template: Template, titles: Readonly<Record<string, string>>): string {
  try {
    return template.executeHeader({ ...titles, Label: labelTitle });
  } catch (error) {
    if (error instanceof SampanError && error.kind === "invalid") return "";
    throw error;
  }
}

/** The title of `{{.Label "com.example.some-name"}}` is "some name". */
function labelTitle(name: string): string {
  return name.replace(/^.*\./, "").replaceAll(/[-_]/g, " ");
}

/** A literal \t or \n between actions, which a shell passes on as it is. Inside of them it is Go's to read. */
function unescapeTabs(format: string): string {
  return format.replaceAll(/\{\{[^]*?\}\}|\\[tn]/g, (text) => (text === "\\t" ? "\t" : text === "\\n" ? "\n" : text));
}

function templateItem<T>(view: ListView<T>, item: T): Record<string, unknown> {
  // Not enumerable, so that only fields of Go's look are seen and a missing one is an error.
  return Object.defineProperty({ ...view.fields(item) }, "toJSON", { value: () => record(view, item), enumerable: false });
}

/** Fields by name, in the order of their names, as Go marshals a map. */
function record<T>(view: ListView<T>, item: T): Record<string, unknown> {
  const fields = view.fields(item);
  const names = Object.keys(fields).filter((name) => view.methods?.has(name) !== true);
  return Object.fromEntries(names.sort().map((name) => [name, fields[name]?.()]));
}

/** "a=1,b=2", sorted. */
export function formatLabels(labels: Readonly<Record<string, string>> | null): string {
  return Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`).sort().join(",");
}
