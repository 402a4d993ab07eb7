import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createId, type ContainerId } from "../../base/ids.ts";
import type { Digest } from "../../oci/digest.ts";
import type { NewContainer } from "./container-record.ts";
import { openState } from "./open.ts";
import type { StateStore } from "./store.ts";

/** For the tests beside this file: values of the branded types, made up and well-formed. */
export function containerId(text?: string): ContainerId {
  // 64 hexadecimal digits: what the brand stands for.
  return (text === undefined ? createId() : text.padEnd(64, "0")) as ContainerId;
}

export function digest(text: string): Digest {
  // As above, with the algorithm's name.
  return `sha256:${text.padEnd(64, "0")}` as Digest;
}

export function container(more: Partial<NewContainer> = {}): NewContainer {
  return { id: containerId(), createdMs: 1_000, imageReference: "alpine", config: "{}", ...more };
}

/** A directory that is gone after `use`. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "sampan-state-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A new store in a directory of its own; both gone afterwards. */
export function temporaryState(): Disposable & { readonly store: StateStore; readonly path: string } {
  const directory = temporaryDirectory();
  const path = join(directory.path, "root", "state.db");
  const store = openState(path);
  return {
    store,
    path,
    [Symbol.dispose]: () => {
      store.close();
      directory[Symbol.dispose]();
    },
  };
}

/** Whatever `work` throws, as text with its kind; fails if it throws nothing. */
export function failure(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return "kind" in error ? `${String(error.kind)}: ${error.message}` : error.message;
  }
  throw new Error("nothing was thrown");
}
