import { closeSync } from "node:fs";
import { resolve } from "node:path";
import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import * as C from "../../linux/constants.ts";
import { decompress } from "../../storage/compression/index.ts";
import type { TreeEntry } from "../../storage/layers/index.ts";
import { TarReader } from "../../storage/tar/index.ts";
import type { ByteString } from "../../storage/tar/index.ts";
import { fromBytes } from "../../storage/tar/index.ts";
import type { RootAccess } from "../access/index.ts";
import { TreeWriter, entryHeader, openRootAccess, treeToTar } from "../access/index.ts";
import type { Source } from "../access/locate.ts";
import { hostOpener, locateDestination, locateSource, splitPath } from "../access/locate.ts";
import { namesOf } from "../access/write.ts";
import type { CopyOptions, CopyResult, CopySource, CopyTarget } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { decompressOnHost } from "../images/host-decompressor.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { appendEvent } from "./events.ts";

interface Opened extends Disposable {
  readonly record: ContainerRecord;
  readonly access: RootAccess;
  readonly name: string;
  readonly stored: StoredConfig;
}

async function openContainer(context: EngineContext, name: string): Promise<Opened> {
  requireRoot();
  expectHeavyWork();
  const record = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  const access = await openRootAccess(context, record, stored, "mounted");
  return { access, stored, record, name: record.name, [Symbol.dispose]: () => { access[Symbol.dispose](); } };
}

function inContainer(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** As a person writes it here: relative to the working directory, a trailing "/" or "/." kept. */
function onHost(path: string): string {
  const [trailing = ""] = /(\/\.?)$/.exec(path) ?? [];
  return path === "." ? `${resolve(".")}/.` : `${resolve(path)}${trailing}`;
}

function notFound(path: string, name: string): SampanError {
  return new SampanError("not-found", `Could not find the file ${path} in container ${name}`);
}

/** Copies from a container to a path of this side, or as a tar stream. */
export async function copyFrom(context: EngineContext, name: string, path: string, target: CopyTarget, options: CopyOptions): Promise<CopyResult> {
  using container = await openContainer(context, name);
  const { helper } = container.access;
  using source = locateSource(container.access, helper, inContainer(path), options.followLink);
  if (!source) throw notFound(path, container.name);
  appendEvent(context, container.record, "archive-path");
  if ("write" in target) return await writeArchive(source, target.write, options.signal);
  const owner = options.archive ? undefined : { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const to = onHost(target.path);
  const destination = locateDestination(hostOpener, to, source, () => new SampanError(
    "not-found",
    `invalid output path: directory "${splitPath(to).parent}" does not exist`,
  ));
  try {
    using writer = new TreeWriter(helper, destination.directory, { owner });
    return await transfer(source, writer, destination.name, options.signal);
  } finally {
    closeSync(destination.directory);
  }
}

/** Copies into a container: a path of this side, or what a tar stream holds into a directory that is there. */
export async function copyTo(context: EngineContext, name: string, from: CopySource, path: string, options: CopyOptions): Promise<CopyResult> {
  using container = await openContainer(context, name);
  const { access, stored, record } = container;
  const to = inContainer(path);
  if (stored.request.readonlyRootfs && !stored.mounts.some(({ target }) => to === target || to.startsWith(`${target}/`)))
    throw new SampanError("denied", "container rootfs is marked read-only");
  const [mounted] = stored.mounts.filter(({ target }) => to === target || to.startsWith(`${target}/`)).sort((one, other) =>
    other.target.length - one.target.length);
  if (mounted?.readonly === true) throw new SampanError("denied", "mounted volume is marked read-only");
  if ("archive" in from) {
    const result = await extract(access, container.name, from.archive, path, options);
    appendEvent(context, record, "extract-to-dir");
    return result;
  }
  using source = locateSource(hostOpener, access.helper, onHost(from.path), options.followLink);
  if (!source) throw new SampanError("not-found", `lstat ${from.path}: no such file or directory`);
  const destination = locateDestination(access, to, source, () => notFound(splitPath(to).parent, container.name));
  try {
    using writer = new TreeWriter(access.helper, destination.directory, { owner: options.archive ? undefined : { uid: 0, gid: 0 } });
    const result = await transfer(source, writer, destination.name, options.signal);
    appendEvent(context, record, "extract-to-dir");
    return result;
  } finally {
    closeSync(destination.directory);
  }
}

/** One tree into another, hard links kept; `rename` is what the source is called there. */
async function transfer(source: Source, writer: TreeWriter, rename: ByteString | undefined, signal: AbortSignal | undefined): Promise<CopyResult> {
  const first = new Map<string, ByteString>();
  for await (const file of source.entries((directory) => writer.isTarget(directory, rename))) {
    cancelled(signal);
    const path = [rename ?? "", file.path].filter((part) => part !== "").join("/") as ByteString; // of byte strings
    const entry = entryHeader(file, path);
    const names = namesOf(path);
    if (!entry || !names) continue;
    if (names.length === 0) continue; // the directory that is there already stays as it is
    const linked = file.inode === undefined ? undefined : first.get(file.inode);
    if (linked !== undefined) {
      writer.begin({ ...entry, type: "link", linkname: linked, size: 0 }, names);
      continue;
    }
    if (file.inode !== undefined) first.set(file.inode, path);
    writer.begin(entry, names);
    if (entry.type === "file") await writeContent(file, writer, signal);
    writer.done();
  }
  writer.finish();
  return { bytes: writer.bytes };
}

async function writeContent(file: TreeEntry, writer: TreeWriter, signal: AbortSignal | undefined): Promise<void> {
  let offset = 0;
  for await (const chunk of file.open()) {
    cancelled(signal);
    writer.data(chunk, offset);
    offset += chunk.length;
  }
}

function cancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new SampanError("cancelled", "Copying was interrupted");
}

async function writeArchive(source: Source, write: (chunk: Uint8Array) => void | Promise<void>, signal: AbortSignal | undefined): Promise<CopyResult> {
  let bytes = 0;
  const base = source.name === "" ? "." : source.name;
  const rename = (inner: ByteString): ByteString => (inner === "" ? base : `${base}/${inner}`) as ByteString; // of byte strings
  async function* counted(): AsyncGenerator<TreeEntry> {
    for await (const entry of source.entries()) {
      bytes += entry.size;
      yield entry;
    }
  }
  for await (const chunk of treeToTar(counted(), rename)) {
    cancelled(signal);
    await write(chunk);
  }
  return { bytes };
}

/** A tar stream, compressed or not. Links that are there are followed inside the container, as its own tar would. */
async function extract(access: RootAccess, name: string, archive: AsyncIterable<Uint8Array>, path: string, options: CopyOptions): Promise<CopyResult> {
  const to = inContainer(path);
  const opened = access.open(to, C.O_DIRECTORY);
  if ("errno" in opened) throw new SampanError("invalid", `destination "${name}:${path}" must be a directory`);
  const directory = opened.fd;
  try {
    using writer = new TreeWriter(access.helper, directory, {
      owner: options.archive ? undefined : { uid: 0, gid: 0 },
      follow: (inner) => {
        const found = access.open(`${to}/${inner}`, C.O_DIRECTORY);
        return "fd" in found ? found.fd : undefined;
      },
    });
    const reader = new TarReader({
      entry(entry) {
        const names = namesOf(entry.name);
        if (!names) throw new SampanError("invalid", `Cannot extract "${fromBytes(entry.name)}": it leads out of the target`);
        writer.begin(entry, names);
      },
      data: (chunk, offset) => { writer.data(chunk, offset); },
      done: () => { writer.done(); },
    });
    for await (const chunk of decompress(archive, { foreign: decompressOnHost })) {
      cancelled(options.signal);
      reader.write(chunk);
    }
    reader.end();
    writer.finish();
    return { bytes: writer.bytes };
  } finally {
    closeSync(directory);
  }
}
