import { SampanError } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { StateDatabase } from "./database.ts";
import { labelConditions, labelsFromText, listFromText, placeholders, toSql, type LabelFilter } from "./json.ts";
import { ambiguousPrefix, prefixRange } from "./lookup.ts";
import type { SqlValue } from "./sqlite.ts";

export interface ImageRecord {
  /** The digest of the image's config: Docker's image ID. */
  readonly id: Digest;
  readonly manifestDigest: Digest;
  /** "linux/arm64/v8" */
  readonly platform: string;
  /** As the image says; null if it does not. */
  readonly createdMs: number | null;
  /** When it came into this store. */
  readonly storedMs: number;
  /** Of the unpacked layers. */
  readonly sizeBytes: number;
  /** The stack of layers, lowest first. */
  readonly chainIds: readonly Digest[];
  /** Every blob that it needs in the content store: manifest, config, layers, the index it came by. */
  readonly blobs: readonly Digest[];
  /** "docker.io/library/nginx@sha256:…" */
  readonly repoDigests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

interface ImageRow extends Omit<ImageRecord, "chainIds" | "blobs" | "repoDigests" | "labels"> {
  readonly chainIds: string;
  readonly blobs: string;
  readonly repoDigests: string;
  readonly labels: string;
}

export interface TagRecord {
  /** Normalised: "docker.io/library/nginx:latest". */
  readonly reference: string;
  readonly imageId: Digest;
  readonly taggedMs: number;
}

/** Images and their tags. Writes are durable: what was pulled is not lost with the power. */
export class Images {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** Adds an image, or renews what is known of it. */
  put(image: ImageRecord): void {
    const columns = Object.keys(image);
    const renewed = columns.map((column) => `${column} = excluded.${column}`).join(", ");
    this.#db.transaction(
      () => this.#db.run(
        `INSERT INTO images(${columns.join(", ")}) VALUES (${placeholders(columns.length)}) ON CONFLICT(id) DO UPDATE SET ${renewed}`,
        ...Object.values(image).map(toSql),
      ),
      { durable: true },
    );
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#first("SELECT * FROM images WHERE id = ?", id);
  }

  /** The image that a normalised reference is a tag of. */
  tagged(reference: string): ImageRecord | undefined {
    return this.#first("SELECT images.* FROM tags JOIN images ON images.id = tags.imageId WHERE reference = ?", reference);
  }

  /**
   * By an id or its beginning, with or without "sha256:".
   * @throws SampanError in Docker's words if several images begin so.
   */
  withIdPrefix(text: string): ImageRecord | undefined {
    const range = prefixRange(text.startsWith("sha256:") ? text.slice(7) : text);
    if (range === undefined) return undefined;
    const rows = this.#db.all<ImageRow>("SELECT * FROM images WHERE id >= ? AND id < ? LIMIT 2", ...range.map((bound) => `sha256:${bound}`));
    if (rows.length > 1) throw ambiguousPrefix(text);
    return rows[0] === undefined ? undefined : imageOf(rows[0]);
  }

  /** By the manifest's digest: what "name@sha256:…" means. */
  withManifest(digest: Digest): ImageRecord | undefined {
    return this.#first("SELECT * FROM images WHERE manifestDigest = ? OR EXISTS(SELECT 1 FROM json_each(blobs) WHERE value = ?) LIMIT 1", digest, digest);
  }

  /** Newest first, by the images' own dates. */
  list(filter: { readonly labels?: readonly LabelFilter[]; readonly dangling?: boolean } = {}): ImageRecord[] {
    const { sql, values } = labelConditions(filter.labels ?? []);
    if (filter.dangling !== undefined) sql.push(`${filter.dangling ? "NOT " : ""}EXISTS(SELECT 1 FROM tags WHERE imageId = images.id)`);
    const where = sql.length === 0 ? "" : ` WHERE ${sql.join(" AND ")}`;
    return this.#db.all<ImageRow>(`SELECT * FROM images${where} ORDER BY createdMs DESC, id`, ...values).map(imageOf);
  }

  /** Points a tag at an image, away from whatever it was at. Returns the image that lost it. */
  tag(reference: string, imageId: Digest, taggedMs: number): Digest | undefined {
    return this.#db.transaction(
      () => {
        if (this.get(imageId) === undefined) throw new SampanError("not-found", `No such image: ${imageId}`);
        const before = this.#db.get<TagRecord>("SELECT * FROM tags WHERE reference = ?", reference)?.imageId;
        this.#db.run("INSERT OR REPLACE INTO tags(reference, imageId, taggedMs) VALUES (?, ?, ?)", reference, imageId, taggedMs);
        return before === imageId ? undefined : before;
      },
      { durable: true },
    );
  }

  untag(reference: string): boolean {
    return this.#db.transaction(() => this.#db.run("DELETE FROM tags WHERE reference = ?", reference) > 0, { durable: true });
  }

  /** All tags, or one image's, in alphabetical order. */
  tags(imageId?: Digest): TagRecord[] {
    const rows = imageId === undefined
      ? this.#db.all<TagRecord>("SELECT * FROM tags ORDER BY reference")
      : this.#db.all<TagRecord>("SELECT * FROM tags WHERE imageId = ? ORDER BY reference", imageId);
    return rows.map((row) => ({ ...row }));
  }

  /** Forgets an image and its tags. Whether anybody may want it is the caller's question, asked in the same transaction. */
  delete(id: Digest): boolean {
    return this.#db.transaction(
      () => {
        this.#db.run("DELETE FROM tags WHERE imageId = ?", id);
        return this.#db.run("DELETE FROM images WHERE id = ?", id) > 0;
      },
      { durable: true },
    );
  }

  #first(sql: string, ...values: SqlValue[]): ImageRecord | undefined {
    const row = this.#db.get<ImageRow>(sql, ...values);
    return row === undefined ? undefined : imageOf(row);
  }
}

function imageOf(row: ImageRow): ImageRecord {
  return {
    ...row,
    chainIds: listFromText(row.chainIds),
    blobs: listFromText(row.blobs),
    repoDigests: listFromText(row.repoDigests),
    labels: labelsFromText(row.labels),
  };
}
