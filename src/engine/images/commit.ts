import { closeSync, constants, openSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import { defined } from "../../oci/json.ts";
import { digestOf } from "../../oci/digest.ts";
import type { ExecutionConfig } from "../../oci/image-config.ts";
import { encodeJson } from "../../oci/manifest.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { familiarReference, parseReference, withDefaultTag } from "../../oci/reference.ts";
import { appendLayer, applyChanges, createImage } from "../../images/index.ts";
import { diffToTar, type TreeEntry, type TreeWalker } from "../../storage/layers/index.ts";
import { fromBytes } from "../../storage/tar/index.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import { DirectoryWalker, openHostAccess } from "../access/index.ts";
import type { Cancellable, CommitRequest } from "../api.ts";
import { storedConfigOf } from "../containers/begin.ts";
import { appendEvent } from "../containers/events.ts";
import { whileFrozen } from "../containers/pause.ts";
import { findSteady } from "../containers/settle.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { needRoot } from "../privilege.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { openContent, openStoredImage, registerImage } from "./catalog.ts";
import { keepContent } from "./keep.ts";
import { LayerStore } from "./layer-store.ts";
import { makeLayer } from "./new-layer.ts";

/** What every container has mounted, and for which there are empty places in its layer. */
const OWN_MOUNTS = ["/dev", "/proc", "/sys", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/**
 * A container's changes as an image: one layer on top of its image's, made of the upper directory of its overlay, and its config
 * as it was run. What is mounted in it (volumes, /proc, the hosts file) is not part of it. Frozen while it is read, unless told not to.
 */
export async function commitContainer(context: EngineContext, name: string, request: CommitRequest, { signal }: Cancellable): Promise<{ id: string }> {
  expectHeavyWork();
  needRoot("commit a container");
  const tags = request.reference === "" ? [] : [withDefaultTag(parseReference(request.reference))];
  const record = await findSteady(context, name);
  const stored = storedConfigOf(context, record);
  const base = record.imageId === null ? undefined : context.store.images.get(record.imageId);
  if (base === undefined) throw cannotCommit(record, stored);
  const content = await openContent(context);
  await using keep = await keepContent(context, content);
  await keep.blobs(base.blobs);
  keep.layers(base.chainIds);
  const { manifest, config } = await openStoredImage(content, base);
  // A wrong change is found before the container is frozen.
  const changed = applyChanges({ ...config.config, config: containerConfig(stored, config.config.config ?? {}) }, request.changes);
  const layers = new LayerStore(context);
  const read = async (): ReturnType<typeof makeLayer> => {
    using access = await openHostAccess(context);
    const root = openSync(containerPaths(context.paths, record.id).upper, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const tree = withoutMounts(new DirectoryWalker(access.helper, root), stored);
      return await makeLayer(content, layers, keep, diffToTar(tree), base.chainIds.toReversed(), signal);
    } finally {
      closeSync(root);
    }
  };
  const layer = request.pause && record.status === "running" ? await whileFrozen(context, record.id, signal, read) : await read();
  const created = new Date().toISOString();
  const { comment: _, ...rest } = changed;
  const committed = appendLayer(
    {
      ...rest,
      architecture: changed.architecture === "" ? hostPlatform().architecture : changed.architecture,
      ...(request.author === "" ? {} : { author: request.author }),
      ...(request.message === "" ? {} : { comment: request.message }),
    },
    layer.diffId,
    defined({ created, created_by: record.command, author: request.author || undefined, comment: request.message || undefined }),
  );
  await keep.blobs([digestOf(encodeJson(committed))]);
  const image = await createImage(content, committed, [...manifest.layers, layer.descriptor]);
  await keep.blobs([image.manifest.digest]);
  await registerImage(context, content, { image, tags, action: "commit" });
  const [tag] = tags;
  appendEvent(context, record, "commit", {
    comment: request.message,
    imageID: image.config.imageId,
    imageRef: tag === undefined ? "" : familiarReference(tag),
  });
  return { id: image.config.imageId };
}

function cannotCommit(record: ContainerRecord, stored: StoredConfig): SampanError {
  const what = `Cannot commit container "${record.name}"`;
  if (stored.image.id !== "") return new SampanError("not-found", `${what}: its image ${stored.image.reference} is no longer there`);
  const path = stored.image.reference;
  const isHost = path === "host";
  return new SampanError("unsupported", `${what}: it runs on ${isHost ? "this machine's own files" : `the directory "${path}"`}, not on an image`, {
    hint: isHost
      ? `Pack what it has with: sampan export ${record.name} | sampan import - NAME`
      : `Make an image of the directory first: tar -C ${path} -c . | sampan import - NAME`,
  });
}

/** Leaves out the places that the engine made for mounts: they are empty, and nothing in the container could write to them. */
function withoutMounts(tree: TreeWalker, { mounts }: StoredConfig): TreeWalker {
  const places = new Set([...OWN_MOUNTS, ...mounts.map(({ target }) => target.replace(/\/+$/, ""))]);
  const isPlace = ({ path, type }: TreeEntry): boolean => {
    if (type === "char") return false; // a whiteout is the container's own doing
    let at = `/${fromBytes(path)}`;
    for (; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) if (places.has(at)) return true;
    return false;
  };
  return {
    async *walk() {
      for await (const entry of tree.walk()) if (!isPlace(entry)) yield entry;
    },
  };
}

/** The image's config with what the container was told otherwise, as Docker merges them. */
function containerConfig({ request, image }: StoredConfig, config: ExecutionConfig): ExecutionConfig {
  const { entrypoint } = request;
  const env = new Map([...image.config.env, ...request.env].map((entry) => [entry.split("=", 1)[0] ?? "", entry]));
  return defined<ExecutionConfig>({
    ...config,
    Env: [...env.values()].filter((entry) => entry.includes("=")),
    Entrypoint: entrypoint === undefined ? config.Entrypoint : entrypoint.length === 0 || entrypoint[0] === "" ? undefined : [...entrypoint],
    // A new entrypoint does away with the image's arguments.
    Cmd: request.command.length > 0 ? [...request.command] : entrypoint === undefined ? config.Cmd : undefined,
    WorkingDir: request.workdir ?? config.WorkingDir,
    User: request.user ?? config.User,
    Labels: Object.keys(request.labels).length === 0 ? config.Labels : { ...config.Labels, ...request.labels },
    StopSignal: request.stopSignal ?? config.StopSignal,
  });
}

