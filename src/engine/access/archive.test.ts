import { expect, test } from "bun:test";
import { readTar, toBytes } from "../../storage/tar/index.ts";
import type { TreeEntry } from "../../storage/layers/index.ts";
import { treeToTar } from "./archive.ts";

function file(path: string, open: () => AsyncIterable<Uint8Array>): TreeEntry {
  return {
    path: toBytes(path), type: "file", mode: 0o644, uid: 0, gid: 0, size: 2, mtimeSec: 0, mtimeNsec: 0, major: 0, minor: 0,
    target: toBytes(""), xattrs: new Map(), inode: "1:1", open,
  };
}

async function* content(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("ab");
}

async function* vanished(): AsyncGenerator<Uint8Array> {
  throw Object.assign(new Error("no such file"), { code: "ENOENT" });
}

test("a file that vanishes before it is opened is left out, and what is another name of it is not", async () => {
  async function* tree(): AsyncGenerator<TreeEntry> {
    yield file("gone", vanished);
    yield file("there", content);
  }
  const members: string[] = [];
  await readTar(treeToTar(tree(), (path) => path), {
    entry: ({ name, type }) => { members.push(`${name} ${type}`); },
    data: () => undefined,
    done: () => undefined,
  });
  expect(members).toEqual(["there file"]);
});
