/** The old root is gone, from the namespace and not only from the view of the first process. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, runOk } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";

beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const MODES: readonly (readonly [name: string, options: readonly string[]])[] = [["plain", []], ["privileged", ["--privileged"]], ["read-only", ["--read-only"]], ["without masks", ["--security-opt", "systempaths=unconfined"]]];
for (const [name, options] of MODES)
  test(`whoever enters the mount namespace is in the container's root, and nothing of the host's is mounted there: ${name}`, async () => {
    const id = await sandbox.ok(["run", "-d", "--network", "none", ...options, "--rootfs", rootfs, "sleep", "100"]);
    const pid = await sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]);
    // setns(2) puts one at the topmost mount of the namespace, wherever the first process's root is.
    const seen = await runOk(["nsenter", "-t", pid, "-m", "/bin/busybox", "ls", "/"]);
    expect(seen.split("\n")).toContain("bin");
    expect(seen).not.toContain("lost+found");
    const roots = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n").filter((line) => line.split(" ")[4] === "/");
    expect(roots.map((line) => / - (\S+) /.exec(line)?.[1])).toEqual(["overlay"]);
    await sandbox.ok(["rm", "-f", id]);
  }, 30_000);
