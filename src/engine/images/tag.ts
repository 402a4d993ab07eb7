import { SampanError } from "../../base/errors.ts";
import { familiarReference, formatReference, parseReference, withDefaultTag } from "../../oci/reference.ts";
import type { EngineContext } from "../context.ts";
import { openContent, publishReferences } from "./catalog.ts";
import { findImage } from "./find.ts";

/** Gives an image another name; a name that another image had moves to this one. */
export async function tagImage(context: EngineContext, name: string, target: string): Promise<void> {
  const reference = withDefaultTag(parseReference(target));
  if (reference.digest !== undefined) throw new SampanError("invalid", "refusing to create a tag with a digest reference");
  const { image } = findImage(context, name);
  context.store.transaction(() => {
    context.store.images.tag(formatReference(reference), image.id, Date.now());
    context.store.events.append({
      type: "image",
      action: "tag",
      actorId: image.id,
      timeNs: BigInt(Date.now()) * 1_000_000n,
      attributes: { ...image.labels, name: familiarReference(reference) },
    });
  });
  await publishReferences(context, await openContent(context));
}
