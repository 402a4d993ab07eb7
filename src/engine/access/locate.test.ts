import { expect, test } from "bun:test";
import { splitPath } from "./locate.ts";

test("a path is split without giving it another meaning", () => {
  const parts = (path: string): unknown[] => {
    const { parent, name, contents, isDirectory } = splitPath(path);
    return [parent, name, contents, isDirectory];
  };
  expect(parts("/a/b")).toEqual(["/a", "b", false, false]);
  expect(parts("/a/b/")).toEqual(["/a", "b", false, true]);
  expect(parts("/a/b/.")).toEqual(["/a", "b", true, true]);
  expect(parts("/a/b/./.")).toEqual(["/a", "b", true, true]);
  expect(parts("/a")).toEqual(["/", "a", false, false]);
  expect(parts("/")).toEqual(["/", "", true, true]);
  expect(parts("/.")).toEqual(["/", "", true, true]);
  // ".." is the kernel's to resolve: by name it would be wrong behind a link.
  expect(parts("/a/..")).toEqual(["/a", "", true, true]);
  expect(splitPath("/a/..").whole).toBe("/a/..");
  expect(parts("/a/...")).toEqual(["/a", "...", false, false]);
  expect(parts("/a/.hidden")).toEqual(["/a", ".hidden", false, false]);
});
