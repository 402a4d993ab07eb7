/** Full disks: what runs ends as it ends, what cannot begin says why, and a log says what it lacks. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SAMPAN, busyboxRootfs, createSandbox } from "../support/index.ts";
import { run } from "../support/command.ts";

test("a container that was started before keeps its exit code; one after it is told that there is no space", async () => {
  await using sandbox = createSandbox();
  const rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  const state = join(sandbox.dir, "small");
  const shared = join(sandbox.dir, "shared");
  mkdirSync(state, { mode: 0o700 });
  mkdirSync(shared);
  const script = `
    set -e
    mount -t tmpfs -o size=2m none "$SAMPAN_STATE"
    start() { "$0" run -d --network none --name "$1" -v "$2:/shared" --rootfs "$3" sh -c 'while [ ! -e /shared/go ]; do sleep 0.05; done; exit 7' >/dev/null; }
    start kept "$1" "$2"
    ! dd if=/dev/zero of="$SAMPAN_STATE/fill" bs=4k 2>/dev/null
    touch "$1/go"
    "$0" wait kept
    "$0" start kept 2>&1 || echo "start $?"
    rm "$SAMPAN_STATE/fill"
    "$0" start -a kept || echo "again $?"
    "$0" rm kept`;
  const { stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script, SAMPAN, shared, rootfs], { env: { ...sandbox.env, SAMPAN_STATE: state }, timeoutMs: 60_000 });
  const lines = stdout.split("\n");
  expect([lines[0], lines[1]?.includes("no space left on device"), lines.slice(-4), stderr]).toEqual(["7", true, ["start 1", "again 7", "kept", ""], ""]);
}, 90_000);

test("a full disk keeps no container from writing: its log tells how much it lacks, and goes on where there is room again", async () => {
  await using sandbox = createSandbox();
  const rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  const root = join(sandbox.dir, "small");
  const shared = join(sandbox.dir, "shared");
  mkdirSync(root);
  mkdirSync(shared);
  const script = `
    set -e
    mount -t tmpfs -o size=16m none "$SAMPAN_ROOT"
    "$0" run -d --network none --name loud -v "$1:/shared" --rootfs "$2" sh -c 'until [ -e /shared/full ]; do sleep 0.05; done; yes 0123456789 | head -c 1200000; touch /shared/wrote; until [ -e /shared/room ]; do sleep 0.05; done; echo after' >/dev/null
    ! dd if=/dev/zero of="$SAMPAN_ROOT/fill" bs=4k 2>/dev/null
    touch "$1/full"
    until [ -e "$1/wrote" ]; do sleep 0.05; done
    rm "$SAMPAN_ROOT/fill"
    touch "$1/room"
    "$0" wait loud
    "$0" logs --tail 2 loud 2>&1
    "$0" rm loud`;
  const { stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script, SAMPAN, shared, rootfs], { env: { ...sandbox.env, SAMPAN_ROOT: root }, timeoutMs: 60_000 });
  const lines = stdout.split("\n");
  const lost = lines.find((line) => line.startsWith("bytes of log lost for want of space: "));
  // The 100,000 lines are records of 52 bytes, and one more where a line came in two pieces; what little there was room for is not lost.
  expect(Number(lost?.split(": ")[1])).toBeWithin(5_000_000, 5_700_000);
  expect([lines[0], lines.includes("after"), lines.at(-2), stderr]).toEqual(["0", true, "loud", ""]);
}, 90_000);
