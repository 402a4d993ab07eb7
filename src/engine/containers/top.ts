import { SampanError } from "../../base/errors.ts";
import { listPids } from "../../runtime/cgroups/operations.ts";
import type { Cancellable, ProcessTable } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { findTool, runTool } from "../host-tool.ts";
import { appendEvent } from "./events.ts";
import { cgroupPathsOf } from "./groups.ts";
import { processOf } from "./liveness.ts";

/** The host's ps(1) with these arguments, of which only the container's processes are kept. "-ef" where there are none. */
export async function topContainer(context: EngineContext, name: string, psArguments: readonly string[], _options: Cancellable): Promise<ProcessTable> {
  const record = context.store.containers.find(name);
  const first = processOf(context, record);
  if (!first && record.status === "restarting") throw new SampanError("wrong-state", `Container ${record.id} is restarting, wait until the container is running`);
  if (!first) throw new SampanError("wrong-state", `container ${record.id} is not running`);
  const paths = cgroupPathsOf(context, record.id);
  appendEvent(context, record, "top");
  const text = await ps(context, psArguments.length === 0 ? ["-ef"] : psArguments);
  return parsePs(text, new Set(paths.directories.length > 0 ? listPids(paths) : [first.pid]));
}

async function ps(context: EngineContext, args: readonly string[]): Promise<string> {
  const program = findTool("ps");
  if (program === undefined) throw new SampanError("unavailable", "Cannot list processes: this host has no ps", { hint: "On Debian: apt install procps" });
  const { code, stdout, stderr } = await runTool(context, program, args);
  if (code !== 0) throw new SampanError("invalid", `error running ps: ${stderr.trim().split("\n")[0] ?? `code ${code}`}`);
  return stdout;
}

/** The rows of these processes. All columns but the last are single words. Exported for its test. */
export function parsePs(text: string, pids: ReadonlySet<number>): ProcessTable {
  const [header = "", ...lines] = text.split("\n");
  const titles = header.trim().split(/\s+/);
  const column = titles.indexOf("PID");
  if (column < 0) throw new SampanError("invalid", "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  for (const line of lines) {
    const fields = line.trim().split(/\s+/);
    if (!pids.has(Number(fields[column]))) continue;
    const last = fields.slice(titles.length - 1).join(" ");
    processes.push([...fields.slice(0, titles.length - 1), last]);
  }
  return { titles, processes };
}
