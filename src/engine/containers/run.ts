import { SampanError } from "../../base/errors.ts";
import type { CreatedContainer, RunOptions, RunResult, WithProgress } from "../api.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import type { Reservation } from "../../storage/state/index.ts";
import type { RunRequest } from "../request.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { prepareNetwork, reserveNetwork } from "../network/for-start.ts";
import { throwIfCancelled } from "./abort.ts";
import type { Cidfile } from "./cidfile.ts";
import { launch } from "./launch.ts";
import type { LaunchOptions, Session } from "./launch.ts";
import type { Prepared } from "./prepare.ts";
import { prepare } from "./prepare.ts";
import { reserve } from "./record.ts";
import { cgroupPlanOf } from "./start.ts";

/**
 * Creates and starts a container; in the foreground stays until it ends or the person detaches.
 * Order matters: everything is decided first, then recorded in one transaction, then made. What was recorded is what a
 * later clean-up finds, whatever happens in between.
 */
export async function runContainer(context: EngineContext, request: RunRequest, options: RunOptions): Promise<RunResult> {
  const { started, id, exitCode, signal, oomKilled, detached } = await runSession(context, request, options, {});
  return { id, warnings: started.warnings, exitCode, signal, oomKilled, detached };
}

/** The same, with what the plan was and how keel reports on it. */
export async function runSession(
  context: EngineContext,
  request: RunRequest,
  options: RunOptions,
  more: Pick<LaunchOptions, "alter"> & { readonly trace?: boolean },
): Promise<Session & { readonly id: ContainerId }> {
  requireRoot();
  checkRequest(request);
  const { stored: wanted, volumes } = await prepare(context, request, options);
  const cgroup = cgroupPlanOf(context, wanted);
  const network = await prepareNetwork(context, wanted);
  throwIfCancelled(options.signal);
  const cidfile = await reserveCidfile(request);
  const detached = request.detach;
  const { record, stored } = reserveWithId(context, wanted, cgroup, cidfile, {
    actions: detached ? ["create"] : ["create", "attach"], volumes: volumeUses(volumes), within: ({ id }) => { reserveNetwork(context, network, id); },
  });
  const session = await launch(context, record, stored, cgroup, {
    detached, streams: detached ? {} : options.streams, callerEnv: process.env, trace: false, sigProxy: request.sigProxy, network,
    detachKeys: await detachKeysOf(request.detachKeys), signal: options.signal, ...more,
  });
  if (detached && options.signal?.aborted === true) {
    const { removeContainer } = await import("./remove.ts");
    await removeContainer(context, stored.id, { force: true, volumes: true });
    throwIfCancelled(options.signal);
  }
  return { ...session, id: stored.id };
}

/** Makes a container without starting it. */
export async function createContainer(context: EngineContext, request: RunRequest, options: WithProgress): Promise<CreatedContainer> {
  requireRoot();
  checkRequest(request);
  const { stored: wanted, volumes } = await prepare(context, request, options);
  // A network that is not there, or an address that cannot be, is refused now too.
  await prepareNetwork(context, wanted, false);
  // What this host cannot enforce is refused now, not when it is started.
  cgroupPlanOf(context, wanted);
  throwIfCancelled(options.signal);
  const cidfile = await reserveCidfile(request);
  const { record, stored } = reserveWithId(context, wanted, undefined, cidfile, { actions: ["create"], volumes: volumeUses(volumes) });
  const { makeContainerDirectories } = await import("./directories.ts");
  makeContainerDirectories(context, stored);
  if (volumes.length > 0) {
    const { readyVolumes } = await import("../volumes/ready.ts");
    await readyVolumes(context, stored, { mounting: false });
  }
  context.store.containers.transition(record.id, ["creating"], "created", { fields: { monitorPid: null, monitorStartTime: null } });
  return { id: stored.id, warnings: [] };
}

/** What a request may not ask for at once, in Docker's words. */
function checkRequest({ remove, restart }: RunRequest): void {
  if (remove && restart.name !== "no") throw new SampanError("invalid", "conflicting options: cannot specify both --restart and --rm", { exitCode: 125 });
}

function volumeUses(volumes: Prepared["volumes"]): NonNullable<Reservation["volumes"]> {
  return volumes.map(({ name, target, create }) => ({ name, target, create }));
}

/** `--cidfile`: refused where there is one already, and there before the container runs. */
async function reserveCidfile(request: RunRequest): Promise<Cidfile | undefined> {
  if (request.cidfile === undefined) return undefined;
  const { openCidfile } = await import("./cidfile.ts");
  return openCidfile(request.cidfile);
}

function reserveWithId(
  context: EngineContext,
  wanted: StoredConfig,
  cgroup: CgroupPlan | undefined,
  cidfile: Cidfile | undefined,
  more: Parameters<typeof reserve>[3],
): ReturnType<typeof reserve> {
  try {
    const reserved = reserve(context, wanted, cgroup, more);
    cidfile?.write(wanted.id);
    return reserved;
  } catch (error) {
    cidfile?.discard();
    throw error;
  }
}

/** The bytes that detach; Docker's default is ctrl-p, ctrl-q. */
export async function detachKeysOf(keys: string | undefined): Promise<Uint8Array> {
  if (keys === undefined) return new Uint8Array([16, 17]);
  const { parseDetachKeys } = await import("./detach-keys.ts");
  return parseDetachKeys(keys);
}
