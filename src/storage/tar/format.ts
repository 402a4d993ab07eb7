import { toBytes } from "./bytes.ts";
import { emptyTarEntry } from "./entry.ts";
import { indexTar } from "./members.ts";
import { tarHeader, tarPadding, tarTrailer } from "./writer.ts";

/** The little that image archives need of tar, for the room of images, which does not import this one. */
export const tarFormat = {
  index: indexTar,
  /** A regular file of mode 0644 with time 0. */
  header: (name: string, size: number): Uint8Array => tarHeader(emptyTarEntry({ name: toBytes(name), size })),
  padding: tarPadding,
  trailer: tarTrailer,
} as const;
