import { lstatSync, readlinkSync } from "node:fs";

const MAX_LINKS = 20;

/** A path beneath a root, with the links on the way followed as the container would see them; undefined where there is nothing. */
export function resolveInRoot(root: string, path: string): string | undefined {
  const todo = path.split("/").filter((part) => part !== "");
  const done: string[] = [];
  for (let links = 0; todo.length > 0; ) {
    const part = todo.shift() ?? "";
    if (part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const at = `${root}/${[...done, part].join("/")}`;
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (!stat) return undefined;
    if (!stat.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    const target = readlinkSync(at);
    if (target.startsWith("/")) done.length = 0;
    todo.unshift(...target.split("/").filter((word) => word !== ""));
  }
  return `${root}/${done.join("/")}`;
}
