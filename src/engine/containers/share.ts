import { SampanError } from "../../base/errors.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { livenessOf } from "./liveness.ts";

/** Namespace files of the containers that `--pid`, `--ipc` and `--network container:NAME` name. They have to run. */
export function namespacesOfContainers(context: EngineContext, { request }: StoredConfig): { pid?: string; ipc?: string; network?: string } {
  const wanted = { pid: request.pidMode, ipc: request.ipcMode, network: request.networks[0]?.network ?? "" };
  const files = { pid: "pid", ipc: "ipc", network: "net" } as const;
  const result: { pid?: string; ipc?: string; network?: string } = {};
  for (const type of ["pid", "ipc", "network"] as const) {
    const name = /^container:(.+)$/.exec(wanted[type])?.[1];
    if (name === undefined) continue;
    const record = context.store.containers.find(name);
    const { process } = livenessOf(context, record);
    if (!process)
      throw new SampanError("wrong-state", `cannot join ${type} of a non running container: ${record.id}`, {
        exitCode: 125,
        hint: `Start it first: sampan start ${record.name}`,
      });
    result[type] = `/proc/${process.pid}/ns/${files[type]}`;
  }
  return result;
}
