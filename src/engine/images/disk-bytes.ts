import { lstatSync, readdirSync, type Stats } from "node:fs";

const SLASH = Buffer.from("/");

/** Bytes on disk beneath a path, hard links counted once: as du(1) does. 0 for what is not there. */
export function diskBytes(path: string): number {
  const seen = new Set<number>();
  const count = (at: Buffer, stat: Stats): number => {
    if (!stat.isDirectory() && stat.nlink > 1) {
      if (seen.has(stat.ino)) return 0;
      seen.add(stat.ino);
    }
    let bytes = stat.blocks * 512;
    // Names are bytes: as strings, those that are not UTF-8 would not be found again.
    if (stat.isDirectory()) for (const name of readdirSync(at, { encoding: "buffer" })) bytes += look(Buffer.concat([at, SLASH, name]));
    return bytes;
  };
  const look = (at: Buffer): number => {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    return stat === undefined ? 0 : count(at, stat);
  };
  return look(Buffer.from(path));
}
