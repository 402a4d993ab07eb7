import { SampanError } from "../../base/errors.ts";
import { Block } from "../../plan/index.ts";
import type { Session } from "../../plan/session.ts";
import { Part } from "../../plan/session.ts";
import * as C from "../../linux/constants.ts";
import { Errno, errnoName, errnoText } from "../../linux/errno.ts";
import type { ByteString } from "../../storage/tar/index.ts";

/** Room for the names of one file's attributes, and for one value; the kernel's own bound is 64 KiB (xattr(7)). */
const NAMES_SIZE = 4096;
const VALUE_SIZE = 65536;
/** Files asked about at once. */
const BATCH = 64;

/** keel's registers: the root of the container, and our own descriptors as a directory. */
export const ROOT_REGISTER = 0;
export const OURS_REGISTER = 1;

/** A name in a directory that this process has open. */
export interface Place {
  readonly directory: number;
  readonly name: ByteString;
}

/** keel's working directory is our /proc/PID/fd, so that "7/name" is a name in our descriptor 7, wherever its root is. */
function pathOf({ directory, name }: Place): Buffer {
  return Buffer.from(`${directory}/${name}\0`, "latin1");
}

/**
 * A keel that does for us what neither Node nor Bun can: extended attributes, nodes, exact times, and opening by
 * openat2(2). It is told where by descriptors of ours and single names, so that nothing can be redirected in between.
 */
export class FileHelper {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** The extended attributes of each, in the same order. A file that is gone has none. */
  attributes(places: readonly Place[]): Map<ByteString, ByteString>[] {
    const result: Map<ByteString, ByteString>[] = [];
    for (let from = 0; from < places.length; from += BATCH) result.push(...this.#attributesOf(places.slice(from, from + BATCH)));
    return result;
  }

  #attributesOf(places: readonly Place[]): Map<ByteString, ByteString>[] {
    const part = new Part();
    const lists = places.map((place) => {
      const out = part.plan.out(NAMES_SIZE);
      return { out, call: part.collect(part.line.call("llistxattr", [pathOf(place), { out: out.out }, NAMES_SIZE], { tolerate: "any" })) };
    });
    const reply = this.session.run(part);
    return lists.map(({ out, call }, i) => {
      const size = reply.result(call);
      const place = places[i];
      if (size <= 0 || !place) return new Map<ByteString, ByteString>();
      const names = reply.out.toString("latin1", out.out, out.out + size).split("\0").filter((name) => name !== "");
      return this.#values(place, names);
    });
  }

  #values(place: Place, names: readonly string[]): Map<ByteString, ByteString> {
    const values = new Map<ByteString, ByteString>();
    for (const name of names) {
      const part = new Part();
      const out = part.plan.out(VALUE_SIZE);
      const call = part.collect(
        part.line.call("lgetxattr", [pathOf(place), Buffer.from(`${name}\0`, "latin1"), { out: out.out }, VALUE_SIZE], { tolerate: "any" }),
      );
      const reply = this.session.run(part);
      const size = reply.result(call);
      // Both are one character per byte by now.
      if (size >= 0) values.set(name as ByteString, reply.out.toString("latin1", out.out, out.out + size) as ByteString);
    }
    return values;
  }

  /** Opens a path inside the container's root as the container would see it; a descriptor of ours, or a negative errno. */
  resolve(path: string, flags: number): { readonly descriptor: number; readonly close: () => void } | { readonly errno: number } {
    const part = new Part();
    const how = new Block(24, "struct open_how").u64(0, flags | C.O_CLOEXEC).u64(16, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
    const inside = path.replace(/^\/+/, "");
    const call = part.collect(part.line.call("openat2", [{ register: ROOT_REGISTER }, inside === "" ? "." : inside, how, 24], { tolerate: "any" }));
    const fd = this.session.run(part).result(call);
    if (fd < 0) return { errno: -fd };
    return {
      descriptor: fd,
      close: () => {
        const last = new Part();
        last.line.call("close", [fd], { tolerate: "any" });
        this.session.run(last);
      },
    };
  }

  /** Throws the first that failed, of what changes in one directory. */
  change(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const part = new Part();
    const calls = changes.map((change) => part.collect(addChange(part, change)));
    const reply = this.session.run(part);
    calls.forEach((call, i) => {
      const result = reply.result(call);
      const change = changes[i];
      if (result >= 0 || !change) return;
      if (change.kind === "xattr" && (-result === Errno.EOPNOTSUPP || -result === Errno.EPERM)) return; // a filesystem without such attributes
      const name = Buffer.from(change.place.name, "latin1").toString();
      throw new SampanError("internal", `Cannot write "${name}": ${call.name}: ${errnoText(-result)} (${errnoName(-result)})`, { code: errnoName(-result) });
    });
  }
}

export type Change =
  | { readonly kind: "times"; readonly place: Place; readonly sec: number; readonly nsec: number }
  | { readonly kind: "xattr"; readonly place: Place; readonly name: ByteString; readonly value: ByteString }
  | { readonly kind: "node"; readonly place: Place; readonly mode: number; readonly device: number };

function addChange({ line }: Part, change: Change): ReturnType<Part["line"]["call"]> {
  const path = pathOf(change.place);
  switch (change.kind) {
    case "times": {
      const times = new Block(32, "struct timespec[2]").u64(0, change.sec).u64(8, change.nsec).u64(16, change.sec).u64(24, change.nsec);
      return line.call("utimensat", [C.AT_FDCWD, path, times, C.AT_SYMLINK_NOFOLLOW], { tolerate: "any" });
    }
    case "xattr":
      return line.call(
        "lsetxattr",
        [path, Buffer.from(`${change.name}\0`, "latin1"), Buffer.from(change.value, "latin1"), change.value.length, 0],
        { tolerate: "any" },
      );
    case "node":
      return line.call("mknodat", [C.AT_FDCWD, path, change.mode, change.device], { tolerate: "any" });
  }
}
