import { closeSync } from "node:fs";
import { expectHeavyWork } from "../../base/heavy.ts";
import type { Cancellable } from "../api.ts";
import { DirectoryWalker, openRootAccess, treeToTar } from "../access/index.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { appendEvent } from "./events.ts";

/** The container's root filesystem as a tar archive, without volumes and whatever else is mounted in it. */
export async function* exportContainer(context: EngineContext, name: string, options: Cancellable): AsyncGenerator<Uint8Array> {
  requireRoot();
  expectHeavyWork();
  const record = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  using access = await openRootAccess(context, record, stored, "bare");
  const root = access.openDirectory("/");
  try {
    appendEvent(context, record, "export");
    for await (const chunk of treeToTar(new DirectoryWalker(access.helper, root).walk(), (path) => (path === "" ? undefined : path))) {
      options.signal?.throwIfAborted();
      yield chunk;
    }
  } finally {
    closeSync(root);
  }
}
