import { SampanError } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { familiarReference, parseReference } from "../../oci/reference.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import type { Cancellable, Filters, ImageSummary } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { familiarDigests, familiarTags, findImage } from "./find.ts";

/** Images, newest first. */
export function listImages(
  context: EngineContext,
  { filters = {} }: Cancellable & { readonly all: boolean; readonly filters?: Filters | undefined },
): ImageSummary[] {
  const { reference = [], ...rest } = filters;
  const wanted = imageFilter(context, rest);
  const matchers = reference.map(referencePattern);
  const found: ImageSummary[] = [];
  for (const image of context.store.images.list().filter(wanted)) {
    const summary = summarize(context, image);
    if (matchers.length === 0) {
      found.push(summary);
      continue;
    }
    // As Docker: only the names that match are shown.
    const tags = summary.tags.filter((tag) => matchers.some((matches) => matches(tag)));
    const digests = summary.digests.filter((digest) => matchers.some((matches) => matches(digest)));
    if (tags.length > 0 || digests.length > 0) found.push({ ...summary, tags, digests });
  }
  return found;
}

function summarize(context: EngineContext, image: ImageRecord): ImageSummary {
  return {
    id: image.id,
    tags: familiarTags(context, image.id),
    digests: familiarDigests(image),
    // Docker shows the zero time of Go for an image without a date: long ago.
    createdAtMs: image.createdMs ?? 0,
    sizeBytes: image.sizeBytes,
    sharedBytes: -1,
    containers: -1,
    labels: image.labels,
  };
}

/** `--filter` of `images` and `image prune`. Throws "invalid" in Docker's words. */
export function imageFilter(context: EngineContext, filters: Filters): (image: ImageRecord) => boolean {
  const tests: ((image: ImageRecord) => boolean)[] = [];
  for (const [key, values] of Object.entries(filters)) tests.push(...testsOf(context, key, values));
  return (image) => tests.every((test) => test(image));
}

function testsOf(context: EngineContext, key: string, values: readonly string[]): ((image: ImageRecord) => boolean)[] {
  switch (key) {
    case "dangling": {
      const wanted = values.map((value) => {
        if (/^(true|1)$/i.test(value)) return true;
        if (/^(false|0)$/i.test(value)) return false;
        throw new SampanError("invalid", `invalid filter 'dangling=[${value}]'`);
      });
      return [(image) => wanted.includes(context.store.images.tags(image.id).length === 0)];
    }
    case "label":
      return values.map((value) => ({ labels }) => hasLabel(labels, value));
    case "label!":
      return values.map((value) => ({ labels }) => !hasLabel(labels, value));
    case "before":
    case "since":
      return values.map((value) => {
        const { image } = findImage(context, value);
        const [limit, sign] = [image.createdMs ?? 0, key === "before" ? -1 : 1];
        return ({ createdMs }: ImageRecord) => Math.sign((createdMs ?? 0) - limit) === sign;
      });
    case "until": {
      const limits = values.map(untilMs);
      return [({ createdMs }) => limits.every((limit) => (createdMs ?? 0) < limit)];
    }
    default:
      throw new SampanError("invalid", `invalid filter '${key}'`);
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const key = equals === -1 ? wanted : wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && (equals === -1 || labels[key] === wanted.slice(equals + 1));
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** "24h", "1h30m", seconds since the epoch, or a date. */
function untilMs(text: string): number {
  if (/^(\d+[smh])+$/.test(text)) {
    let ms = 0;
    for (const [, count, unit = ""] of text.matchAll(/(\d+)([smh])/g)) ms += Number(count) * (UNITS[unit] ?? 0);
    return Date.now() - ms;
  }
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  if (Number.isNaN(date)) throw new SampanError("invalid", `invalid filter 'until=${text}': it is neither a duration nor a date`);
  return date;
}

/** Go's path.Match on the familiar name, with and without its tag: "lib*", "*:1", "host:5000/*". */
function referencePattern(pattern: string): (reference: string) => boolean {
  const expression = globToExpression(pattern);
  return (text) => {
    const reference = parseReference(text);
    const name = familiarReference({ domain: reference.domain, path: reference.path });
    return expression.test(text) || expression.test(name);
  };
}

function globToExpression(pattern: string): RegExp {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] ?? "";
    const close = character === "[" ? pattern.indexOf("]", i + 2) : -1;
    if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (close > 0) {
      source += `[${pattern.slice(i + 1, close).replace(/\\/g, "\\\\")}]`;
      i = close;
    } else if (character === "[") throw new SampanError("invalid", `invalid filter 'reference=${pattern}': syntax error in pattern`);
    else source += character.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  }
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw new SampanError("invalid", `invalid filter 'reference=${pattern}': syntax error in pattern`);
  }
}

/** Containers, in whatever state, that were made of an image. */
export function containersOf(context: EngineContext, id: Digest): ReturnType<EngineContext["store"]["containers"]["list"]> {
  return context.store.containers.list().filter(({ imageId }) => imageId === id);
}
