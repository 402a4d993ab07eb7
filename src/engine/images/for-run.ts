import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { digestHex } from "../../oci/digest.ts";
import { parseImageConfig, type ExecutionConfig, type ImageHealthcheck } from "../../oci/image-config.ts";
import { defined } from "../../oci/json.ts";
import { formatPlatform, hostPlatform, normalizePlatform, parsePlatform, runsOn } from "../../oci/platform.ts";
import { familiarReference, parseReference, withDefaultTag } from "../../oci/reference.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import type { WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import type { HealthRequest, RunRequest } from "../request.ts";
import type { RunnableConfig, RunnableImage } from "../spec/image.ts";
import { onDisk } from "./disk-errors.ts";
import { lookUpImage } from "./find.ts";

/** The image that a request names; pulled first where `--pull` says so. */
export async function imageForRun(context: EngineContext, request: RunRequest, options: WithProgress = {}): Promise<RunnableImage> {
  const found = findForRun(context, request);
  if (found === undefined && request.pull === "never") throw missing(context, request);
  const image = found !== undefined && request.pull !== "always" ? found : await pullForRun(context, request, found, options);
  const host = formatPlatform(hostPlatform());
  if (request.platform === undefined && image.platform !== host && !isFor(image, host))
    options.onProgress?.({ status: `WARNING: The requested image's platform (${image.platform}) does not match the detected host platform (${host}) and no specific platform was requested` });
  return runnableImage(context, image, request.image);
}

/** What is there under the name, if it is for the platform that was asked for. */
function findForRun(context: EngineContext, { image, platform }: RunRequest): ImageRecord | undefined {
  const found = lookUpImage(context, image)?.image;
  return found === undefined || platform === undefined || isFor(found, platform) ? found : undefined;
}

function isFor(image: ImageRecord, platform: string): boolean {
  return runsOn(parsePlatform(platform), parsePlatform(image.platform));
}

function missing(context: EngineContext, { image, platform }: RunRequest): SampanError {
  const other = platform === undefined ? undefined : lookUpImage(context, image)?.image;
  if (other !== undefined && platform !== undefined)
    return new SampanError(
      "not-found",
      `image with reference ${image} was found but does not match the specified platform: wanted ${formatPlatform(normalizePlatform(parsePlatform(platform)))}, actual: ${other.platform}`,
      { exitCode: 125 },
    );
  return new SampanError("not-found", `No such image: ${nameOf(image)}`, { exitCode: 125, hint: `Pull it with: sampan pull ${image}` });
}

/** The name with its default tag; what is no name is given back as it is. */
function nameOf(image: string): string {
  try {
    return familiarReference(withDefaultTag(parseReference(image)));
  } catch {
    return image;
  }
}

async function pullForRun(
  context: EngineContext,
  request: RunRequest,
  found: ImageRecord | undefined,
  { signal, onProgress }: WithProgress,
): Promise<ImageRecord> {
  const { image, platform } = request;
  let reference;
  try {
    reference = withDefaultTag(parseReference(image));
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    throw new SampanError(error.kind, error.message, {
      exitCode: 125,
      cause: error,
      hint: "An image is named like nginx, debian:12 or localhost:5000/app; `sampan images` lists those that are here.",
    });
  }
  if (found === undefined) onProgress?.({ status: `Unable to find image '${familiarReference(reference)}' locally` });
  const { pullImages } = await import("./pull.ts");
  try {
    const [pulled] = await onDisk(`pull ${JSON.stringify(image)}`, () => pullImages(context, image, { allTags: false, platform, signal, onProgress }));
    if (pulled !== undefined)
      onProgress?.({ status: `Status: ${pulled.changed ? "Downloaded newer image" : "Image is up to date"} for ${familiarReference(reference)}` });
  } catch (error) {
    if (!(error instanceof SampanError) || error.kind === "cancelled") throw error;
    const where = reference.domain === "docker.io" ? "Docker Hub" : reference.domain;
    const hint = `It was looked for here and at ${where}.${error.hint === undefined ? "" : ` ${error.hint}.`} Bring it in with \`sampan load -i FILE\` or \`sampan import FILE ${image}\`, or use this machine's own files: \`sampan run host\`.`;
    throw new SampanError(error.kind, error.message, { hint, code: error.code, exitCode: 125, cause: error });
  }
  const pulled = findForRun(context, request) ?? lookUpImage(context, image)?.image;
  if (pulled === undefined) throw missing(context, request);
  return pulled;
}

/** What a start needs of a stored image. Reads one small file, and asks for each layer whether it is there. */
export function runnableImage(context: EngineContext, image: ImageRecord, reference: string): RunnableImage {
  const colon = image.id.indexOf(":");
  // The id is the config's digest, so this is its blob.
  const raw = readFileSync(`${context.paths.images}/blobs/${image.id.slice(0, colon)}/${image.id.slice(colon + 1)}`);
  const { config } = parseImageConfig(raw);
  const lowers: string[] = [];
  for (const chainId of image.chainIds.toReversed()) {
    const directory = `${context.paths.layers}/${digestHex(chainId)}`;
    if (!existsSync(`${directory}/fs`))
      throw new SampanError("internal", `Cannot use image "${reference}": its layer ${chainId} is missing on disk`, {
        exitCode: 125,
        hint: `Remove and pull it again: sampan rmi -f ${reference} && sampan pull ${reference}`,
      });
    lowers.push(`${directory}/fs`);
    // overlayfs looks for no mark on a layer's own root: what it would hide must not be mounted.
    if (existsSync(`${directory}/opaque`)) break;
  }
  // overlayfs wants at least one lower directory.
  if (lowers.length === 0) lowers.push(emptyLayer(context));
  return { id: image.id, reference, lowers, chainIds: image.chainIds, config: runnableConfig(config.config ?? {}) };
}

/** For an image without layers. */
function emptyLayer(context: EngineContext): string {
  const path = `${context.paths.layers}/empty`;
  if (!existsSync(path)) mkdirSync(path, { recursive: true, mode: 0o755 });
  return path;
}

function runnableConfig(config: ExecutionConfig): RunnableConfig {
  const { StopSignal, Healthcheck } = config;
  return {
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    env: config.Env ?? [],
    workdir: config.WorkingDir ?? "",
    user: config.User ?? "",
    volumes: Object.keys(config.Volumes ?? {}),
    exposedPorts: Object.keys(config.ExposedPorts ?? {}).map((port) => (port.includes("/") ? port : `${port}/tcp`)),
    labels: config.Labels ?? {},
    ...(StopSignal === undefined || StopSignal === "" ? {} : { stopSignal: StopSignal }),
    ...(Healthcheck === undefined ? {} : { health: healthOf(Healthcheck) }),
  };
}

/** The document has nanoseconds, and 0 for what is to be inherited. */
function healthOf({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries }: ImageHealthcheck): HealthRequest {
  const ms = (nanoseconds: number | undefined): number | undefined => (nanoseconds === undefined || nanoseconds === 0 ? undefined : nanoseconds / 1e6);
  return defined<HealthRequest>({
    test: Test, intervalMs: ms(Interval), timeoutMs: ms(Timeout), startPeriodMs: ms(StartPeriod), startIntervalMs: ms(StartInterval),
    retries: Retries === 0 ? undefined : Retries,
  });
}
