import { existsSync, statSync } from "node:fs";
import { ProblemsError, SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { createId } from "../../base/ids.ts";
import type { VolumeRecord } from "../../storage/state/index.ts";
import type { WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import type { RunRequest } from "../request.ts";
import { requestProblems } from "../request-rules.ts";
import { checkRequest } from "../spec/check.ts";
import type { RunnableImage } from "../spec/image.ts";
import { directoryImage, hostImage } from "../spec/image.ts";
import { capabilitiesOf, securityOptions } from "../spec/security.ts";
import type { StoredConfig, StoredMount } from "../spec/stored.ts";

/** Finds what to run. Throws "not-found" in Docker's words. */
export async function resolveImage(context: EngineContext, request: RunRequest, options: WithProgress = {}): Promise<RunnableImage> {
  if (request.rootfs) {
    const { path } = request.rootfs;
    if (!existsSync(path)) throw new SampanError("not-found", `Cannot use root filesystem "${path}": no such directory`, { exitCode: 125 });
    if (!statSync(path).isDirectory()) throw new SampanError("invalid", `Cannot use root filesystem "${path}": not a directory`, { exitCode: 125 });
    return directoryImage(request.rootfs);
  }
  if (request.image === "host") return hostImage(request.image);
  const { imageForRun } = await import("../images/for-run.ts");
  return imageForRun(context, request, options);
}

/** A bind mount's source must be there, or is made (`-v`); what a volume or a tmpfs becomes is decided by the caller. */
function bindMount(mount: RunRequest["mounts"][number], problems: string[]): StoredMount {
  const stat = statSync(mount.source, { throwIfNoEntry: false });
  if (!stat && !mount.createSource) problems.push(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  return {
    type: "bind", source: mount.source, target: mount.target, readonly: mount.readonly, propagation: mount.propagation ?? "rprivate",
    recursive: mount.nonrecursive !== true, options: [], isFile: stat !== undefined && !stat.isDirectory(),
  };
}

function tmpfsMount(mount: RunRequest["mounts"][number]): StoredMount {
  const options = ["nosuid", "nodev", "noexec"].filter((option) => !(mount.tmpfsOptions ?? []).includes(option.slice(2)));
  for (const option of mount.tmpfsOptions ?? []) if (!options.includes(option)) options.push(option);
  if (mount.tmpfsSizeBytes !== undefined) options.push(`size=${mount.tmpfsSizeBytes}`);
  if (mount.tmpfsMode !== undefined) options.push(`mode=${mount.tmpfsMode.toString(8)}`);
  if (mount.readonly) options.push("ro");
  return { type: "tmpfs", source: "", target: mount.target, readonly: mount.readonly, propagation: "rprivate", recursive: false, options, isFile: false };
}

/** A profile of the person's is compiled before anything is made; the start then finds it compiled. */
async function checkSeccomp(context: EngineContext, request: RunRequest): Promise<string[]> {
  if (!request.securityOpt.some((option) => option.startsWith("seccomp="))) return [];
  try {
    await context.seccomp(securityOptions(request).seccomp, capabilitiesOf(request));
    return [];
  } catch (error) {
    if (error instanceof SampanError && error.kind !== "internal") return [error.message];
    throw error;
  }
}

export interface Prepared {
  readonly stored: StoredConfig;
  /** Volumes that the container uses; made with it where they do not exist. */
  readonly volumes: readonly VolumeUse[];
}

export interface VolumeUse {
  readonly name: string;
  readonly target: string;
  /** What it is made as where there is none of that name. */
  readonly create: VolumeRecord;
}

/**
 * All that can be decided about a container before anything is made. Throws every problem at once.
 * Volumes, other containers' mounts and what only running containers have are looked up by the parts that know them.
 */
export async function prepare(context: EngineContext, request: RunRequest, options: WithProgress = {}): Promise<Prepared> {
  const wrong = requestProblems(request);
  if (wrong.length > 0) throw new ProblemsError(wrong, { exitCode: 125 });
  const problems: string[] = [];
  const image = await resolveImage(context, request, options);
  const id = createId() as ContainerId; // the one place where container ids come from
  const mounts: StoredMount[] = [];
  const volumes: VolumeUse[] = [];
  const needsVolumes = request.volumesFrom.length > 0 || image.config.volumes.length > 0 || request.mounts.some(({ type }) => type === "volume");
  for (const mount of request.mounts) {
    if (mount.type === "bind") mounts.push(bindMount(mount, problems));
    else if (mount.type === "tmpfs") mounts.push(tmpfsMount(mount));
  }
  if (needsVolumes) {
    const { planVolumes } = await import("../volumes/plan.ts");
    const planned = planVolumes(context, request, image, mounts, problems);
    mounts.push(...planned.mounts);
    volumes.push(...planned.volumes);
  }
  if (Object.keys(request.sysctls).length > 0) {
    const { checkSysctls } = await import("../spec/sysctls.ts");
    problems.push(...checkSysctls(request));
  }
  problems.push(...checkRequest(request, image), ...(await checkSeccomp(context, request)));
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 125 });
  // Beside the host's network the container has the host's name as well, in a namespace of its own (Docker's rule).
  const hasHostsName = request.utsMode === "host" || request.networks[0]?.network === "host";
  const hostname = request.hostname ?? (hasHostsName ? (await import("node:os")).hostname() : id.slice(0, 12));
  return { stored: { id, name: request.name ?? "", request: withOwnerIds(context, request), image, hostname, mounts, createdMs: Date.now() }, volumes };
}

/** Whose namespaces are shared, by id: names change. */
function withOwnerIds(context: EngineContext, request: RunRequest): RunRequest {
  if (![request.pidMode, request.ipcMode, request.networks[0]?.network].some((mode) => mode?.startsWith("container:"))) return request;
  const byId = (mode: string): string =>
    (mode.startsWith("container:") ? `container:${context.store.containers.find(mode.slice("container:".length)).id}` : mode);
  return {
    ...request, pidMode: byId(request.pidMode), ipcMode: byId(request.ipcMode),
    networks: request.networks.map((attachment) => ({ ...attachment, network: byId(attachment.network) })),
  };
}
