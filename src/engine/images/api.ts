import { deferredIterable } from "../../base/deferred-iterable.ts";
import type { Images } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { onDisk, streamOnDisk } from "./disk-errors.ts";
import { needRoot } from "../privilege.ts";

/** The engine's `images`: each use case is a file of its own, loaded when it is first asked for. */
export function imagesApi(context: EngineContext): Images {
  const needsRoot = (): void => { needRoot("manage images"); };
  return {
    async list(options) {
      const { listImages } = await import("./list.ts");
      return listImages(context, options);
    },
    async inspect(name, options) {
      const { inspectImage } = await import("./inspect.ts");
      return inspectImage(context, name, options);
    },
    async history(name, options) {
      const { imageHistory } = await import("./inspect.ts");
      return imageHistory(context, name, options);
    },
    async pull(reference, options) {
      needsRoot();
      const { pullImages } = await import("./pull.ts");
      return onDisk(`pull ${JSON.stringify(reference)}`, () => pullImages(context, reference, options));
    },
    async push(reference, options) {
      const { pushImages } = await import("./push.ts");
      return onDisk(`push ${JSON.stringify(reference)}`, () => pushImages(context, reference, options));
    },
    async import(source, request, options) {
      needsRoot();
      const { importImage } = await import("./import.ts");
      return onDisk("import the archive", () => importImage(context, source, request, options));
    },
    async load(source, options) {
      needsRoot();
      const { loadImages } = await import("./load.ts");
      return onDisk("load the archive", () => loadImages(context, source, options));
    },
    save: (names, options) => deferredIterable(async () => streamOnDisk("save images", (await import("./save.ts")).saveImages(context, names, options))),
    async saveDirectory(names, directory, options) {
      const { saveDirectory } = await import("./save.ts");
      return saveDirectory(context, names, directory, options);
    },
    async tag(name, target) {
      needsRoot();
      const { tagImage } = await import("./tag.ts");
      return tagImage(context, name, target);
    },
    async remove(name, options) {
      needsRoot();
      const { removeImage } = await import("./remove.ts");
      return removeImage(context, name, options);
    },
    async prune(options) {
      needsRoot();
      const { pruneImages } = await import("./remove.ts");
      return pruneImages(context, options);
    },
  };
}
