import { open } from "node:fs/promises";
import { SampanError } from "../../base/index.ts";
import { fromBytes } from "./bytes.ts";
import type { TarHandler, TarEntry } from "./entry.ts";
import { TarReader, type TarReaderOptions } from "./reader.ts";

/** Reads a whole archive from an async source. */
export async function readTar(source: AsyncIterable<Uint8Array>, handler: TarHandler, options: TarReaderOptions = {}): Promise<void> {
  const reader = new TarReader(handler, options);
  for await (const chunk of source) reader.write(chunk);
  reader.end();
}

/** Where a regular file's content lies in an archive file, or what a link in it points to. */
export interface TarMember {
  readonly offset: number;
  readonly size: number;
  /** Set for symbolic and hard links, as the archive spells it. */
  readonly linkname?: string;
  readonly type: TarEntry["type"];
}

/**
 * The members of an archive file by cleaned name ("./a//b" is "a/b"); the last of a name wins. Reads headers only and steps
 * over content, so that a large archive costs little. Sparse members are refused: their content has no single place.
 */
export async function indexTar(path: string, maxMembers = 100_000): Promise<Map<string, TarMember>> {
  await using file = await open(path, "r");
  const members = new Map<string, TarMember>();
  let entry: TarEntry | undefined;
  let offset = 0;
  const reader = new TarReader({
    entry(next) {
      if (next.sparse) throw new SampanError("unsupported", `Cannot read archive "${path}": member "${fromBytes(next.name)}" is sparse`);
      entry = next;
      offset = reader.dataStart;
    },
    data() {
      // Content that falls into the window is not looked at; the rest is stepped over below.
    },
    done() {
      if (entry === undefined) return;
      if (members.size >= maxMembers) throw new SampanError("invalid", `Cannot read archive "${path}": it has more than ${maxMembers} members`);
      const { type, size } = entry;
      const linkname = type === "symlink" || type === "link" ? fromBytes(entry.linkname) : undefined;
      members.set(cleanName(fromBytes(entry.name)), { type, offset, size, ...(linkname === undefined ? {} : { linkname }) });
    },
  });
  const { size: fileSize } = await file.stat();
  const window = Buffer.allocUnsafe(64 * 1024);
  let position = 0;
  for (;;) {
    const { bytesRead } = await file.read(window, 0, window.length, position);
    if (bytesRead === 0) break;
    reader.write(window.subarray(0, bytesRead));
    position += bytesRead;
    // Never past the file's end: a truncated archive must still be found out.
    const skip = Math.min(reader.remainingData, fileSize - position);
    reader.skipData(skip);
    position += Math.max(0, skip);
  }
  reader.end();
  return members;
}

function cleanName(name: string): string {
  return name.split("/").filter((part) => part !== "" && part !== ".").join("/");
}
