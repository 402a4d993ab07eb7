import { fromBytes, type ByteString } from "../tar/index.ts";
import { SampanError } from "../../base/index.ts";
import { NAME_BYTES_MAX } from "./limits.ts";

/** A layer that must not be unpacked. `code` is "EBADLAYER"; the name is shown as text, shortened. */
export function layerError(name: ByteString, reason: string): SampanError {
  return new SampanError("invalid", `Cannot unpack layer entry "${fromBytes(name).slice(0, 200)}": ${reason}`, { code: "EBADLAYER" });
}

/**
 * The components of an archive's name, cleaned as text: "/usr//./lib/../bin/" is ["usr", "bin"], "./" is [].
 * A name that climbs out of the root is refused, even where a kernel would stop at "/": nothing honest writes one.
 */
export function splitPath(name: ByteString, entry: ByteString): ByteString[] {
  const parts: ByteString[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === undefined) throw layerError(entry, "it leads out of the root");
      continue;
    }
    if (part.length > NAME_BYTES_MAX) throw layerError(entry, `a component has more than ${NAME_BYTES_MAX} bytes`);
    parts.push(part as ByteString); // brand: a slice of a byte string
  }
  return parts;
}

/** What a name says about the layers below (image-spec layer.md, "Whiteouts"). */
export type Marker = { kind: "none" } | { kind: "opaque" } | { kind: "whiteout"; name: ByteString } | { kind: "metadata" };

const NONE: Marker = { kind: "none" };
const OPAQUE: Marker = { kind: "opaque" };
const METADATA: Marker = { kind: "metadata" };

/** Classifies the last component. aufs's own files (".wh..wh.plnk", ".wh..wh.aufs") are metadata, to be passed over. */
export function markerOf(name: ByteString, entry: ByteString): Marker {
  if (!name.startsWith(".wh.")) return NONE;
  if (name === ".wh..wh..opq") return OPAQUE;
  if (name.startsWith(".wh..wh.")) return METADATA;
  const target = name.slice(4) as ByteString; // brand: a slice of a byte string
  if (target === "" || target === "." || target === "..") throw layerError(entry, "it is a whiteout of nothing that can be removed");
  return { kind: "whiteout", name: target };
}

/** True for what lies inside aufs's metadata; throws for what lies inside a whiteout. */
export function insideMarker(parents: readonly ByteString[], entry: ByteString): boolean {
  for (const part of parents) {
    if (!part.startsWith(".wh.")) continue;
    if (part.startsWith(".wh..wh.") && part !== ".wh..wh..opq") return true;
    throw layerError(entry, "it lies inside a whiteout");
  }
  return false;
}
