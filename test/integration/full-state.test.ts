/** A run state (in RAM: /run) that is full: what runs ends as it ends, and what cannot begin says why. */
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
