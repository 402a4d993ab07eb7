import { shortId } from "../../../base/ids.ts";
import type { ImageSummary } from "../../../engine/api.ts";
import { goTime, humanAgo, humanSize } from "../../output/human.ts";
import { type ListView, formatLabels } from "../../output/list.ts";

/** One line of `images`: a tag, or a digest where there is none, of one image. */
export interface ImageLine {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const none = "<none>";

/** Cuts "host:5000/name:tag" at the tag's colon. */
function cutTag(reference: string): [string, string] {
  const colon = reference.lastIndexOf(":");
  return colon > reference.lastIndexOf("/") ? [reference.slice(0, colon), reference.slice(colon + 1)] : [reference, none];
}

/** An image once per tag; with `digests` once per pair of tag and digest; a dangling one once, as <none>. */
export function imageLines(images: readonly ImageSummary[], digests: boolean): ImageLine[] {
  return images.flatMap((image) => {
    const digestsOf = (repository: string): string[] =>
      image.digests.filter((digest) => digest.startsWith(`${repository}@`)).map((digest) => digest.slice(repository.length + 1));
    const lines: ImageLine[] = [];
    for (const reference of image.tags) {
      const [repository, tag] = cutTag(reference);
      const found = digests ? digestsOf(repository) : [];
      for (const digest of found.length === 0 ? [none] : found) lines.push({ image, repository, tag, digest });
    }
    if (lines.length > 0) return lines;
    const [pulled] = image.digests;
    const [repository = none, digest = none] = pulled?.split("@") ?? [];
    return [{ image, repository, tag: none, digest }];
  });
}

const imageTable = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const imageTableWithDigests = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

export function imageView(
  { truncate, nowMs, digests }: { readonly truncate: boolean; readonly nowMs: number; readonly digests: boolean },
): ListView<ImageLine> {
  return {
    titles: {
      ID: "IMAGE ID", Repository: "REPOSITORY", Tag: "TAG", Digest: "DIGEST", CreatedSince: "CREATED", CreatedAt: "CREATED AT",
      Size: "SIZE", Containers: "CONTAINERS",
      SharedSize: "SHARED SIZE", UniqueSize: "UNIQUE SIZE", VirtualSize: "SIZE", Labels: "LABELS",
    },
    table: digests ? imageTableWithDigests : imageTable,
    quiet: "ID",
    methods: new Set(["Labels"]),
    fields: ({ image, repository, tag, digest }) => ({
      ID: () => (truncate ? shortId(image.id.replace(/^sha256:/, "")) : image.id),
      Repository: () => repository,
      Tag: () => tag,
      Digest: () => digest,
      CreatedSince: () => humanAgo(image.createdAtMs, nowMs),
      CreatedAt: () => goTime(image.createdAtMs),
      Size: () => humanSize(image.sizeBytes, 3),
      Containers: () => (image.containers === -1 ? "N/A" : String(image.containers)),
      SharedSize: () => (image.sharedBytes === -1 ? "N/A" : humanSize(image.sharedBytes)),
      UniqueSize: () => (image.sharedBytes === -1 ? "N/A" : humanSize(image.sizeBytes - image.sharedBytes)),
      VirtualSize: () => humanSize(image.sizeBytes),
      Labels: () => formatLabels(image.labels),
    }),
  };
}
