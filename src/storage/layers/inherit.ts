import { lstat } from "node:fs/promises";
import { errnoOf } from "../../base/index.ts";
import type { ByteString } from "../tar/index.ts";
import { pushDirectoryAttributes } from "./finish.ts";
import type { LayerSink } from "./sink.ts";
import type { LayerSummary } from "./summary.ts";

export interface DirectoryFacts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

/** One unpacked layer, asked about its directories. */
export interface LayerView {
  /** "silent": ask the layer below. "hidden": no layer below shows through at this path either. */
  directory(path: ByteString): Promise<DirectoryFacts | "silent" | "hidden">;
  /** True when what the layers below have in this directory does not show through. */
  opaque(path: ByteString): boolean;
}

/**
 * Gives a layer's implicit directories the mode, owner and time that the nearest layer below gives them. Without this, a layer that holds
 * only "tmp/x" would turn /tmp into 0755, since overlayfs takes a merged directory's attributes from the upper one. (containerd
 * does the same; Docker leaves the defaults.) Call it bottom-up, once all layers are unpacked: it is why a layer
 * directory belongs to a chain ID and not to a diff ID. `below` is nearest first. Ends with a flush.
 */
export async function inheritDirectories(summary: LayerSummary, below: readonly LayerView[], sink: LayerSink): Promise<void> {
  if (summary.opaqueRoot) below = [];
  for (const path of summary.implicit) {
    const facts = await find(path, below);
    if (facts === undefined) continue;
    sink.push({ op: "enter", path });
    sink.push({ op: "open", name: "." as ByteString }); // brand: ASCII
    pushDirectoryAttributes({ ...facts, xattrs: undefined }, (op) => sink.push(op), true);
    sink.push({ op: "close" });
    if (sink.full) await sink.flush();
  }
  await sink.flush();
}

async function find(path: ByteString, below: readonly LayerView[]): Promise<DirectoryFacts | undefined> {
  for (const layer of below) {
    const facts = await layer.directory(path);
    if (facts === "hidden") return undefined;
    if (facts !== "silent") return facts;
    for (const ancestor of ancestors(path)) if (layer.opaque(ancestor)) return undefined;
  }
  return undefined;
}

/** "a/b/c" gives "", "a", "a/b". The root has none. */
function ancestors(path: ByteString): ByteString[] {
  if (path === "") return [];
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index).join("/") as ByteString); // brand: of slices
}

/** A layer directory on disk. Looks component by component, so no symbolic link in it is ever followed. */
export function openLayerView(directory: string, summary: Pick<LayerSummary, "opaque">): LayerView {
  const opaque = new Set(summary.opaque);
  const known = new Map<string, Promise<DirectoryFacts | "silent" | "hidden">>();

  function look(path: ByteString): Promise<DirectoryFacts | "silent" | "hidden"> {
    let answer = known.get(path);
    if (answer === undefined) known.set(path, (answer = ask(path)));
    return answer;
  }

  async function ask(path: ByteString): Promise<DirectoryFacts | "silent" | "hidden"> {
    if (path !== "") {
      const parent = await look(path.slice(0, Math.max(0, path.lastIndexOf("/"))) as ByteString); // brand: a slice
      if (parent === "silent" || parent === "hidden") return parent;
    }
    try {
      const stat = await lstat(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, "latin1")]), { bigint: true });
      // A whiteout, or a file in the directory's place.
      if (!stat.isDirectory()) return "hidden";
      const nsec = Number(stat.mtimeNs % 1_000_000_000n);
      return {
        mode: Number(stat.mode) & 0o7777,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mtimeSec: Number(stat.mtimeNs / 1_000_000_000n) - (nsec < 0 ? 1 : 0),
        mtimeNsec: nsec < 0 ? nsec + 1_000_000_000 : nsec,
      };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "silent";
      throw error;
    }
  }

  return { directory: look, opaque: (path) => opaque.has(path) };
}
