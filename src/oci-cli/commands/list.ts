import { existsSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { Command } from "../commands.ts";
import { DEFAULT_ROOT } from "../context.ts";
import { parseFlags, positional } from "../flags.ts";
import { describeState, listIds, loadContainer } from "../state.ts";
import { print } from "../io.ts";

export const command: Command = {
  summary: "List the containers under --root",
  usage: "[--format table|json] [--quiet]",
  run(context, words) {
    const flags = parseFlags("list", words, ["format f=", "quiet q"]);
    positional("list", flags, []);
    const format = flags.value("format") ?? "table";
    // Where nothing was ever created, the default place need not be there; a place that was named has to.
    if (!existsSync(context.root) && context.root !== DEFAULT_ROOT)
      throw new SampanError("not-found", `Cannot list containers: "${context.root}": no such file or directory`);
    const states = listIds(context.root).flatMap((id) => {
      try {
        return [describeState(loadContainer(context.root, id))];
      } catch (error) {
        // Deleted since the directory was read, or not written down yet.
        if (error instanceof SampanError && error.kind === "not-found") return [];
        throw error;
      }
    });
    if (flags.has("quiet")) print(1, states.map(({ id }) => `${String(id)}\n`).join(""));
    else if (format === "json") print(1, `${states.length === 0 ? "null" : JSON.stringify(states)}\n`);
    else if (format === "table") print(1, table([
      ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
      ...states.map(({ id, pid, status, bundle, created, owner }) => [id, pid, status, bundle, created, owner].map(String)),
    ]));
    else throw new SampanError("invalid", `Cannot list containers: invalid format option "${format}": it is table or json`);
    return Promise.resolve(0);
  },
};

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)) + 3);
  return rows.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("")}\n`).join("");
}
