import { closeSync, fstatSync, openSync, readSync, unlinkSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { spawnProcess } from "../../plan/spawn.ts";
import { listPids } from "../../runtime/cgroups/operations.ts";
import type { Command } from "../commands.ts";
import { parseFlags } from "../flags.ts";
import { loadContainer } from "../state.ts";
import { print } from "../io.ts";

export const command: Command = {
  summary: "List the processes of a container",
  usage: "[--format table|json] ID [ps options]",
  async run(context, words) {
    const flags = parseFlags("ps", words, ["format f="], { stopAtFirst: true });
    const [id, ...options] = flags.rest;
    if (id === undefined) throw new SampanError("invalid", 'Cannot run "ps": it takes <container-id>, and nothing was given');
    const format = flags.value("format") ?? "table";
    if (format !== "table" && format !== "json")
      throw new SampanError("invalid", `Cannot list processes: invalid format option "${format}": it is table or json`);
    // After the container's id the format may come too, as runc has it.
    const later = parseTrailing(options);
    const container = loadContainer(context.root, id);
    const { state, files } = container;
    const pids = state.cgroup ? listPids(state.cgroup.paths) : [];
    if ((later.format ?? format) === "json") {
      print(1, `${JSON.stringify(pids)}\n`);
      return 0;
    }
    const text = await psOutput(files.directory, later.options.length === 0 ? ["-ef"] : later.options);
    const [head = "", ...lines] = text.split("\n");
    const column = head.trim().split(/\s+/).indexOf("PID");
    if (column < 0) throw new SampanError("invalid", "Cannot list processes: couldn't find PID field in ps output");
    const wanted = new Set(pids.map(String));
    print(1, `${[head, ...lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ""))].join("\n")}\n`);
    return 0;
  },
};

function parseTrailing(words: readonly string[]): { format: string | undefined; options: readonly string[] } {
  const at = words.findIndex((word) => word === "--format" || word === "-f=json" || word === "--format=json");
  if (at < 0) return { format: undefined, options: words };
  const inline = words[at]?.split("=")[1];
  return { format: inline ?? words[at + 1], options: [...words.slice(0, at), ...words.slice(at + (inline === undefined ? 2 : 1))] };
}

async function psOutput(directory: string, options: readonly string[]): Promise<string> {
  const path = `${directory}/ps.${process.pid}`;
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  try {
    const { exited } = await spawnProcess("ps", options, { stdio: ["ignore", fd, 2], env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" } });
    const code = await exited;
    if (code !== 0) throw new SampanError("unavailable", `Cannot list processes: ps ended with exit status ${code}`);
    const buffer = Buffer.alloc(fstatSync(fd).size);
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}
