import type { BigIntStats } from "node:fs";
import { closeSync, constants, existsSync, lstatSync, openSync, readdirSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { fromBytes } from "../../storage/tar/index.ts";
import type { ByteString } from "../../storage/tar/index.ts";
import type { FileHelper } from "../access/index.ts";
import { openDirectoryIn, openHostAccess, pathIn } from "../access/index.ts";
import type { Cancellable, ContainerChange } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";

const OPAQUE = ["trusted.overlay.opaque", "user.overlay.opaque"] as ByteString[]; // ASCII
/** What every container has mounted, and for which there are empty places in its layer. */
const OWN_MOUNTS = ["/dev", "/proc", "/sys", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/**
 * What a container has added (A), changed (C) and deleted (D), from its own layer and those beneath. Places that were made
 * for something to be mounted on are not its changes.
 */
export async function diffContainer(context: EngineContext, name: string, options: Cancellable): Promise<readonly ContainerChange[]> {
  const record = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  const { image } = stored;
  if (image.writableRoot !== undefined)
    throw new SampanError("unsupported", `Cannot list the changes of container "${record.name}": it writes to "${image.writableRoot}" itself`);
  const { upper } = containerPaths(context.paths, record.id);
  if (!existsSync(upper)) return [];
  using access = await openHostAccess(context);
  const opened = [upper, ...image.lowers].map((path) => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  try {
    const [own = -1, ...lowers] = opened;
    const mounts = new Set([...OWN_MOUNTS, ...stored.mounts.map(({ target }) => target)]);
    const changes: ContainerChange[] = [];
    compare({ helper: access.helper, mounts, changes, signal: options.signal }, own, lowers, "");
    return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  } finally {
    opened.forEach((fd) => { closeSync(fd); });
  }
}

interface Comparison {
  readonly helper: FileHelper;
  readonly mounts: ReadonlySet<string>;
  readonly changes: ContainerChange[];
  readonly signal: AbortSignal | undefined;
}

function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

/** One directory of the layer beside the same directory of those beneath, uppermost first. True if anything in it changed. */
function compare(comparison: Comparison, upper: number, lowers: readonly number[], prefix: string): boolean {
  comparison.signal?.throwIfAborted();
  let changed = false;
  const report = (kind: ContainerChange["kind"], path: string): void => {
    comparison.changes.push({ kind, path });
    changed = true;
  };
  for (const name of namesIn(upper)) {
    const path = `${prefix}/${fromBytes(name)}`;
    if (comparison.mounts.has(path)) continue;
    const stat = lstatSync(pathIn({ directory: upper, name }), { bigint: true, throwIfNoEntry: false });
    if (!stat) continue;
    const before = lowerOf(lowers, name);
    if (isWhiteout(stat)) {
      if (before) report("D", path);
    } else if (!stat.isDirectory()) report(before ? "C" : "A", path);
    else if (compareDirectory(comparison, { directory: upper, name }, lowers, path, stat, before)) changed = true;
  }
  return changed;
}

function compareDirectory(
  comparison: Comparison,
  place: { readonly directory: number; readonly name: ByteString },
  lowers: readonly number[],
  path: string,
  stat: BigIntStats,
  before: BigIntStats | undefined,
): boolean {
  const own = openDirectoryIn(place);
  if (own === undefined) return false;
  const opaque = isOpaque(comparison.helper, own);
  const beneath = openLowers(comparison.helper, lowers, place.name);
  const at = comparison.changes.length;
  try {
    const inside = compare(comparison, own, opaque ? [] : beneath, path);
    if (opaque) reportHidden(comparison, own, beneath, path);
    const existed = before?.isDirectory() === true;
    const attributes = before === undefined || before.mode !== stat.mode || before.uid !== stat.uid || before.gid !== stat.gid;
    const isPlace = [...comparison.mounts].some((mount) => mount.startsWith(`${path}/`));
    // A directory that was only made on the way to a mount has nothing else in it.
    if (existed ? !inside && !attributes && comparison.changes.length === at : isPlace && !inside) return false;
    comparison.changes.splice(at, 0, { kind: before ? "C" : "A", path });
    return true;
  } finally {
    for (const fd of [own, ...beneath]) closeSync(fd);
  }
}

/** What an opaque directory hides and has not itself is deleted. */
function reportHidden(comparison: Comparison, own: number, lowers: readonly number[], path: string): void {
  const present = new Set(namesIn(own));
  const gone = new Set(lowers.flatMap((lower) => namesIn(lower)).filter((name) => !present.has(name) && lowerOf(lowers, name) !== undefined));
  for (const name of gone) comparison.changes.push({ kind: "D", path: `${path}/${fromBytes(name)}` });
}

function namesIn(directory: number): ByteString[] {
  // latin1 is one character per byte
  return readdirSync(`/proc/self/fd/${directory}`, { encoding: "buffer" }).map((name) => name.toString("latin1") as ByteString);
}

/** What the layers beneath show under a name. */
function lowerOf(lowers: readonly number[], name: ByteString): BigIntStats | undefined {
  for (const lower of lowers) {
    const stat = lstatSync(pathIn({ directory: lower, name }), { bigint: true, throwIfNoEntry: false });
    if (stat) return isWhiteout(stat) ? undefined : stat;
  }
  return undefined;
}

/** The directories that are merged under a name: down to the first layer that has something else there, or hides the rest. */
function openLowers(helper: FileHelper, lowers: readonly number[], name: ByteString): number[] {
  const opened: number[] = [];
  for (const lower of lowers) {
    const stat = lstatSync(pathIn({ directory: lower, name }), { throwIfNoEntry: false });
    if (!stat) continue;
    const fd = stat.isDirectory() ? openDirectoryIn({ directory: lower, name }) : undefined;
    if (fd === undefined) break;
    opened.push(fd);
    if (isOpaque(helper, fd)) break;
  }
  return opened;
}

function isOpaque(helper: FileHelper, directory: number): boolean {
  const [attributes] = helper.attributes([{ directory, name: "." as ByteString }]); // ASCII
  return OPAQUE.some((name) => attributes?.get(name) === "y");
}
