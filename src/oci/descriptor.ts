import { isDigest, type Digest } from "./digest.ts";
import { defined, FieldReader } from "./json.ts";
import type { Platform } from "./platform.ts";

/** A typed, sized, content-addressed pointer (image-spec descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes of the raw content. */
  readonly size: number;
  /** Where else the content might be. Kept for writing back, never fetched from (CVE-2020-15157). */
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: Platform;
}

/** RFC 6838 section 4.2: type "/" subtype, each of at most 127 characters. */
const MEDIA_TYPE_NAME = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

/** Checks one descriptor; `where` names it in errors ("manifest: layer 3"). Throws `invalid`. */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const fields = new FieldReader(value, where);
  const mediaType = fields.requiredString("mediaType");
  if (!MEDIA_TYPE_NAME.test(mediaType)) fields.fail("mediaType", "is not a media type");
  const digest = fields.requiredString("digest");
  if (!isDigest(digest)) return fields.fail("digest", "is not a sha256 or sha512 digest");
  const platform = fields.value("platform");
  return defined<Descriptor>({
    mediaType,
    digest,
    size: fields.natural("size") ?? fields.fail("size", "is missing"),
    urls: fields.strings("urls"),
    annotations: fields.stringMap("annotations"),
    artifactType: fields.string("artifactType"),
    platform: platform === undefined ? undefined : parsePlatformFields(platform, `${where}, platform`),
  });
}

function parsePlatformFields(value: unknown, where: string): Platform {
  const fields = new FieldReader(value, where);
  const variant = fields.string("variant");
  return defined<Platform>({
    os: fields.requiredString("os"),
    architecture: fields.requiredString("architecture"),
    variant: variant === "" ? undefined : variant,
    "os.version": fields.string("os.version"),
    "os.features": fields.strings("os.features"),
  });
}
