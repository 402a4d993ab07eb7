/**
 * Go's text/template, as far as `--format` needs it: fields and chains, variables, pipelines, `if`, `with`, `range` with `else`,
 * `break` and `continue`, trim markers, comments, the built-in functions and Docker's. No `define`, `template` or `block`.
 *
 * Values are what JSON holds, plus bigint and functions (a view's methods). A record whose keys all look like exported Go
 * fields is treated as a struct: asking for one that is missing is an error, as in Docker; in any other record it is nothing.
 * Errors are SampanError "invalid" in Go's words with line and column; exit code 64 for a template that cannot be read, 1 for one that
 * makes no sense of a value.
 */
import { executeTemplate } from "./execute.ts";
import { headerFunctions, templateFunctions } from "./functions.ts";
import { parseTemplate } from "./parse.ts";

export interface Template {
  /** The text for one value. */
  execute(data: unknown): string;
  /** The text for a table's titles: functions that change text leave them alone. */
  executeHeader(titles: unknown): string;
}

export function compileTemplate(source: string): Template {
  const functions = templateFunctions();
  const nodes = parseTemplate(source, new Set([...Object.keys(functions), "and", "or"]));
  return {
    execute: (data) => executeTemplate(nodes, data, functions),
    executeHeader: (titles) => executeTemplate(nodes, titles, headerFunctions()),
  };
}
