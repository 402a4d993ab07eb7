import type { ExecutionConfig } from "../../oci/image-config.ts";
import { parsePlatform, runsOn } from "../../oci/platform.ts";
import type { Cancellable, HistoryEntry, ImageConfigDetails, ImageDetails } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { SampanError } from "../../base/errors.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import { openContent, openStoredImage } from "./catalog.ts";
import { familiarDigests, familiarTags, findImage } from "./find.ts";
import { runnableImage } from "./for-run.ts";

/** Go's zero time, which Docker prints where there is none. */
const NO_TIME = "0001-01-01T00:00:00Z";

type PlatformOptions = Cancellable & { readonly platform?: string | undefined };

function findFor(context: EngineContext, name: string, { platform }: PlatformOptions): ImageRecord {
  const { image } = findImage(context, name);
  if (platform !== undefined && !runsOn(parsePlatform(platform), parsePlatform(image.platform)))
    throw new SampanError(
      "not-found",
      `image with reference ${name} was found but does not provide the specified platform (${platform}); it is for ${image.platform}`,
    );
  return image;
}

/** Everything about an image, in the shape of `docker image inspect`. */
export async function inspectImage(context: EngineContext, name: string, options: PlatformOptions): Promise<ImageDetails> {
  const record = findFor(context, name, options);
  const { config } = (await openStoredImage(await openContent(context), record)).config;
  const tagged = context.store.images.tags(record.id).map(({ taggedMs }) => taggedMs);
  const { lowers } = runnableImage(context, record, name);
  const [top = "", ...below] = lowers;
  return {
    Id: record.id,
    RepoTags: familiarTags(context, record.id),
    RepoDigests: familiarDigests(record),
    Parent: "",
    Comment: config.comment || config.history?.at(-1)?.comment || "",
    Created: config.created ?? NO_TIME,
    DockerVersion: config.docker_version ?? "",
    Author: config.author ?? "",
    Config: configDetails(config.config ?? {}),
    Architecture: config.architecture,
    Variant: config.variant,
    Os: config.os,
    Size: record.sizeBytes,
    VirtualSize: record.sizeBytes,
    GraphDriver: { Name: "overlay2", Data: { ...(below.length === 0 ? {} : { LowerDir: below.join(":") }), UpperDir: top } },
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: tagged.length === 0 ? NO_TIME : new Date(Math.max(...tagged)).toISOString() },
  };
}

/** In Docker's order. */
function configDetails(config: ExecutionConfig): ImageConfigDetails {
  return {
    Hostname: "",
    Domainname: "",
    User: config.User ?? "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: config.ExposedPorts,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    Healthcheck: config.Healthcheck,
    ArgsEscaped: config.ArgsEscaped,
    Image: "",
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? "",
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    StopSignal: config.StopSignal,
    StopTimeout: config.StopTimeout,
    Shell: config.Shell,
  };
}

/** How an image came to be, newest first. */
export async function imageHistory(context: EngineContext, name: string, options: PlatformOptions): Promise<HistoryEntry[]> {
  const record = findFor(context, name, options);
  const { config } = (await openStoredImage(await openContent(context), record)).config;
  const { layers } = context.store;
  const sizes = record.chainIds.map((chainId) => layers.get(chainId)?.sizeBytes ?? 0);
  let next = 0;
  const entries = (config.history ?? []).map(({ created, created_by, comment, empty_layer }) => ({
    createdAtMs: Date.parse(created ?? "") || 0,
    createdBy: created_by ?? "",
    sizeBytes: empty_layer === true ? 0 : (sizes[next++] ?? 0),
    comment: comment ?? "",
  }));
  // Layers that no line speaks of: an image need not have a history.
  while (next < sizes.length) entries.push({ createdAtMs: record.createdMs ?? 0, createdBy: "", sizeBytes: sizes[next++] ?? 0, comment: "" });
  return entries.reverse().map((entry, index) => ({ id: index === 0 ? record.id : "<missing>", ...entry }));
}

