// The leak check must find each kind of leak, or its silence means nothing.
import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assertNoLeaks, createTempDir, findLeaks, leakSnapshot, removeTree, run, runOk, waitFor, type Leak, type LeakKind, type LeakScope } from "../support/index.ts";

async function leaksOf(scope: LeakScope, leak: () => void | Promise<void>): Promise<Leak[]> {
  const before = leakSnapshot(scope);
  await leak();
  return findLeaks(before, scope, 0);
}

const only = (...kinds: LeakKind[]): LeakScope => ({ kinds });

test("a machine left alone has no leak", async () => {
  await assertNoLeaks(leakSnapshot());
});

test("a mount, and a directory with one is not removed", async () => {
  const temp = createTempDir();
  const point = join(temp.path, "with space");
  mkdirSync(point);
  try {
    const leaks = await leaksOf(only("mount"), async () => { await runOk(["mount", "-t", "tmpfs", "none", point]); });
    expect(leaks.map(({ kind, change }) => ({ kind, change }))).toEqual([{ kind: "mount", change: "new" }]);
    writeFileSync(join(point, "data"), "somebody's");
    expect(() => { removeTree(temp.path); }).toThrow(/still mounted beneath it: .*with space/);
    expect(readFileSync(join(point, "data"), "utf8")).toBe("somebody's");
  } finally {
    await runOk(["umount", point]);
    temp[Symbol.dispose]();
  }
});

test("a network namespace and a link, new or gone", async () => {
  try {
    const leaks = await leaksOf(only("netns", "link"), async () => {
      await runOk(["ip", "netns", "add", "sampan-leak"]);
      await runOk(["ip", "link", "add", "sampleak0", "type", "bridge"]);
    });
    expect(leaks.map((leak) => leak.kind).toSorted()).toEqual(["link", "netns"]);
    const gone = await leaksOf(only("link"), async () => { await runOk(["ip", "link", "del", "sampleak0"]); });
    expect(gone.map(({ kind, change, what }) => [kind, change, what.split(": ")[1]])).toEqual([["link", "gone", "sampleak0"]]);
  } finally {
    await run(["ip", "link", "del", "sampleak0"]);
    await runOk(["ip", "netns", "del", "sampan-leak"]);
  }
});

test("a cgroup in any hierarchy", async () => {
  const roots = readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(" ")[4] ?? "");
  for (const root of roots) {
    const path = join(root, "sampan-leak/inner");
    const leaks = await leaksOf(only("cgroup"), () => { mkdirSync(path, { recursive: true }); });
    rmdirSync(path);
    rmdirSync(join(root, "sampan-leak"));
    expect(leaks.map((leak) => leak.what)).toEqual([join(root, "sampan-leak"), path]);
  }
});

test("a rule in nftables", async () => {
  try {
    const leaks = await leaksOf(only("nft"), async () => {
      await runOk(["nft", "-f", "-"], { input: "table inet sampan_leak { chain c { tcp dport 1 accept; }; }" });
    });
    expect(leaks.map((leak) => leak.what)).toContain("table inet sampan_leak: tcp dport 1 accept");
  } finally {
    await runOk(["nft", "delete", "table", "inet", "sampan_leak"]);
  }
});

test("a process with the marker, and a file", async () => {
  using temp = createTempDir();
  const marker = `SAMPAN_LEAK=${temp.path}`;
  const child = spawn("sleep", ["60"], { env: { PATH: "/bin", SAMPAN_LEAK: temp.path } });
  try {
    const before = leakSnapshot({ marker, kinds: [] });
    await waitFor("the process to show up", async () => (await findLeaks(before, { marker, kinds: ["process"] }, 0)).some((leak) => leak.what === `${child.pid ?? 0}: sleep`));
    const files = await leaksOf({ kinds: ["file"], places: [temp.path] }, () => { writeFileSync(join(temp.path, "left"), ""); });
    expect(files).toEqual([{ kind: "file", change: "new", what: join(temp.path, "left") }]);
  } finally {
    child.kill("SIGKILL");
    rmSync(join(temp.path, "left"), { force: true });
  }
});
