import type { Stats } from "node:fs";
import { lstatSync, readlinkSync } from "node:fs";

const MAX_LINKS = 20;

interface Walk {
  /** Beneath the root, without links as far as it is there. */
  readonly path: string;
  readonly exists: boolean;
  readonly links: number;
}

/** Follows a path beneath a root as the container would; from where nothing is there, word by word. Undefined for links in a circle. */
function walk(root: string, path: string): Walk | undefined {
  const todo = path.split("/").filter((part) => part !== "");
  const done: string[] = [];
  let exists = true;
  let links = 0;
  while (todo.length > 0) {
    const part = todo.shift() ?? "";
    if (part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const at = `${root}/${[...done, part].join("/")}`;
    const stat: Stats | undefined = exists ? lstatSync(at, { throwIfNoEntry: false }) : undefined;
    if (!stat?.isSymbolicLink()) {
      exists = stat !== undefined;
      done.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    const target = readlinkSync(at);
    if (target.startsWith("/")) done.length = 0;
    todo.unshift(...target.split("/").filter((word) => word !== ""));
  }
  return { path: done.join("/"), exists, links };
}

/** A path beneath a root, with the links on the way followed as the container would see them; undefined where there is nothing. */
export function resolveInRoot(root: string, path: string): string | undefined {
  const found = walk(root, path);
  return found?.exists === true ? `${root}/${found.path}` : undefined;
}

/** Where a path leads whose links end in nothing: what has to be made, beneath the root. Undefined for every other path. */
export function danglingIn(root: string, path: string): string | undefined {
  const found = walk(root, path);
  return found && !found.exists && found.links > 0 ? `/${found.path}` : undefined;
}
