/**
 * The tar format: a push parser and a writer. No files are touched here; both work on byte chunks.
 *
 * Vocabulary: an *entry* is one member of the archive after everything that describes it (PAX records, GNU long
 * names, sparse maps) was applied; *data* is its content, given with its offset in the file, so that a sparse file
 * arrives without its holes. Names are `ByteString`s, because Linux names are bytes.
 *
 * Invariants: nothing read from an archive is trusted: every header is check-summed, every number bounded, every
 * metadata block limited, and an archive that stops in the middle is an error. The reader does not judge names
 * (`..`, absolute paths): who writes to a disk does that (src/storage/layers).
 */
export { fromBytes, toBytes, type ByteString } from "./bytes.ts";
export { emptyTarEntry, type EntryType, type TarEntry, type TarHandler } from "./entry.ts";
export { TarReader, type TarReaderOptions } from "./reader.ts";
export { tarHeader, tarPadding, tarTrailer } from "./writer.ts";
export { tarFormat } from "./format.ts";
export { indexTar, readTar, type TarMember } from "./members.ts";
