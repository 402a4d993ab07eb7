import { realpathSync, statSync } from "node:fs";
import { posix } from "node:path";
import { SampanError } from "../../base/errors.ts";
import type { VolumeRecord } from "../../storage/state/index.ts";
import type { VolumeUse } from "../containers/prepare.ts";
import type { EngineContext } from "../context.ts";
import type { MountRequest, RunRequest } from "../request.ts";
import type { RunnableImage } from "../spec/image.ts";
import type { StoredConfig, StoredMount } from "../spec/stored.ts";
import { newVolume } from "./create.ts";
import { isName, nameProblem, volumeKind } from "./layout.ts";

interface Planned {
  readonly mounts: StoredMount[];
  readonly volumes: VolumeUse[];
}

/**
 * The volumes of a container, decided and not made: those it asks for, those of other containers (`--volumes-from`), and
 * one without a name for every VOLUME of the image at whose place nothing else is mounted. `mounts` are its other mounts.
 * What is wrong is added to `problems`, in Docker's words.
 */
export function planVolumes(context: EngineContext, request: RunRequest, image: RunnableImage, mounts: readonly StoredMount[], problems: string[]): Planned {
  const taken = new Set(mounts.map(({ target }) => target));
  const found = new Map<string, { readonly mount: StoredMount; readonly volume?: VolumeRecord }>();
  for (const wanted of request.mounts) {
    if (wanted.type !== "volume") continue;
    if (taken.has(wanted.target)) problems.push(`Duplicate mount point: ${wanted.target}`);
    taken.add(wanted.target);
    const problem = problemOf(wanted);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    const { source, volumeOptions: options = {}, volumeLabels: labels = {} } = wanted;
    const volume = (source === "" ? undefined : context.store.volumes.get(source)) ?? newVolume(context, source, { options, labels });
    found.set(wanted.target, { mount: volumeMount(volume, wanted), volume });
  }
  for (const mount of request.volumesFrom.flatMap((text) => mountsOfAnother(context, text))) {
    // A person's own mounts come before those of others, and a later container's before an earlier one's.
    if (taken.has(mount.target)) continue;
    const volume = mount.volume === undefined ? undefined : context.store.volumes.find(mount.volume);
    found.set(mount.target, { mount, ...(volume === undefined ? {} : { volume }) });
  }
  for (const path of image.config.volumes) {
    const target = posix.join("/", path).replace(/(?<=.)\/$/, "");
    if (target === "/") problems.push(`invalid volume "${path}" of image "${image.reference}": destination can't be '/'`);
    if (target === "/" || taken.has(target) || found.has(target)) continue;
    const volume = newVolume(context, "");
    found.set(target, { mount: volumeMount(volume, { type: "volume", source: "", target, readonly: false }), volume });
  }
  const all = [...found.values()];
  return {
    mounts: all.map(({ mount }) => mount),
    volumes: all.flatMap(({ mount: { target }, volume }) => (volume === undefined ? [] : [{ name: volume.name, target, create: volume }])),
  };
}

function problemOf({ source, subpath = "" }: MountRequest): string | undefined {
  if (source !== "" && !isName(source)) return nameProblem(source);
  if (subpath.startsWith("/") || subpath.split("/").includes("..") || subpath.includes("\0"))
    return `invalid subpath ${JSON.stringify(subpath)}: it must stay inside the volume`;
  return undefined;
}

function volumeMount(volume: VolumeRecord, wanted: MountRequest): StoredMount {
  const kind = volumeKind(volume.options);
  const { target, nocopy, subpath = "" } = wanted;
  const readonly = wanted.readonly || (kind.kind !== "directory" && kind.readonly);
  const common = { type: "volume" as const, target, readonly, propagation: "rprivate", volume: volume.name, ...(nocopy === true ? { nocopy } : {}) };
  if (kind.kind === "tmpfs") {
    if (subpath !== "")
      throw new SampanError(
        "unsupported",
        `Cannot mount "${subpath}" of volume "${volume.name}": it is a tmpfs, and empty whenever it is mounted`,
        { exitCode: 125 },
      );
    return {
      ...common, source: "", recursive: false,
      options: [...kind.options.filter((word) => word !== "ro" && word !== "rw"), ...(readonly ? ["ro"] : [])], isFile: false,
      filesystem: "tmpfs",
    };
  }
  const source = kind.kind === "bind" ? kind.device : volume.mountpoint;
  return {
    ...common, source, recursive: kind.kind === "bind" ? kind.recursive : true, options: [],
    isFile: subpath === "" ? kind.kind === "bind" && isFile(kind.device) : isFile(`${source}/${subpath}`, source), ...(subpath === "" ? {} : { subpath }),
  };
}

/** Whether a place for a file has to be made. Only that hangs on it: what is mounted is opened beneath its root by the kernel. */
function isFile(path: string, root?: string): boolean {
  try {
    const real = realpathSync(path);
    if (root !== undefined && !real.startsWith(`${realpathSync(root)}/`)) return false;
    return !statSync(real).isDirectory();
  } catch {
    return false; // not there (yet)
  }
}

/** `--volumes-from NAME[:MODE]`: the volumes and binds of another container, running or not; never writable where they were not. */
function mountsOfAnother(context: EngineContext, text: string): StoredMount[] {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const modes = colon < 0 ? [] : text.slice(colon + 1).split(",");
  const wrong = modes.find((mode) => !["ro", "rw", "z", "Z", "nocopy"].includes(mode));
  if (name === "" || wrong !== undefined) throw new SampanError("invalid", `invalid volumes-from specification: ${JSON.stringify(text)}`, { exitCode: 125 });
  const record = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const { mounts } = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  return mounts.filter(({ type }) => type !== "tmpfs").map((mount) => ({
    ...mount, nocopy: true, readonly: mount.readonly || modes.includes("ro"),
    ...(mount.filesystem === "tmpfs" && modes.includes("ro") && !mount.readonly ? { options: [...mount.options, "ro"] } : {}),
  }));
}
