import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SAMPAN, busyboxRootfs, createSandbox, waitFor } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

/** A program that says something until it is told to go on: who has read of it is attached. */
const TICKING = "while [ ! -e /go ]; do echo tick; sleep 0.05; done";

test("several clients see the same terminal; the detach keys leave it running; its end is everybody's", async () => {
  await sandbox.ok(["run", "-dit", "--name", "shell", "--rootfs", rootfs, "sh"]);
  await using one = await sandbox.pty(["attach", "shell"], { rows: 30, cols: 99 });
  await using two = await sandbox.pty(["attach", "shell"]);
  await waitFor("both to see what one of them wrote", () => {
    one.send("echo from-$((40+2))\n");
    return one.output.includes("from-42") && two.output.includes("from-42");
  });
  one.resize(31, 98);
  await waitFor("the new size", async () => { one.send("stty size\n"); return one.output.includes("31 98"); });
  one.send("\u0010\u0011");
  expect((await one.exited).exitCode).toBe(0);
  expect((await one.modes()).echo).toBe(true);
  expect(await sandbox.ok(["ps", "-q", "--filter", "name=shell"])).not.toBe("");
  two.send("exit 9\n");
  expect((await two.exited).exitCode).toBe(9);
});

test("signals are passed on, unless --sig-proxy=false; the exit code is the container's", async () => {
  await sandbox.ok(["run", "-d", "--name", "trap", "--rootfs", rootfs, "sh", "-c", "trap 'echo caught; exit 6' TERM; while :; do sleep 0.1; done"]);
  const alone = sandbox.start(["attach", "--sig-proxy=false", "trap"]);
  await Bun.sleep(400);
  const left = new Promise((resolve) => alone.once("exit", resolve));
  alone.kill("SIGTERM");
  await left;
  expect(await sandbox.ok(["ps", "-q", "--filter", "name=trap"])).not.toBe("");
  const client = sandbox.start(["attach", "trap"]);
  let text = "";
  client.stdout?.on("data", (chunk: Buffer) => { text += chunk.toString(); });
  await Bun.sleep(400);
  const ended = new Promise((resolve) => client.once("exit", resolve));
  client.kill("SIGTERM");
  expect(await ended).toBe(6);
  expect(text).toContain("caught");
});

test("standard input goes in, with --no-stdin it does not", async () => {
  await sandbox.ok(["run", "-di", "--name", "cat", "--rootfs", rootfs, "sh", "-c", "cat > /in; sleep 60"]);
  const closed = sandbox.start(["attach", "--no-stdin", "cat"]);
  closed.stdin?.write("not this\n");
  await Bun.sleep(300);
  closed.kill("SIGKILL");
  const client = sandbox.start(["attach", "cat"]);
  client.stdin?.write("this\n");
  await waitFor("the input", async () => (await sandbox.ok(["exec", "cat", "cat", "/in"])) === "this");
  client.kill("SIGKILL");
});

test("a slow client does not hold up the container's log, and is told that it was let go", async () => {
  await sandbox.ok(["run", "-d", "--name", "loud", "--rootfs", rootfs, "sh", "-c", `${TICKING}; yes | head -n 2000000; echo end`]);
  const slow = sandbox.start(["attach", "loud"]);
  await new Promise((resolve) => slow.stdout?.once("data", resolve)); // it is attached
  slow.stdout?.pause(); // and nobody reads any more
  let said = "";
  slow.stderr?.on("data", (chunk: Buffer) => { said += chunk.toString(); });
  const left = new Promise((resolve) => slow.once("exit", resolve));
  await sandbox.ok(["exec", "loud", "touch", "/go"]);
  await waitFor("the end of the log", async () => (await sandbox.ok(["logs", "--tail", "1", "loud"])) === "end");
  slow.stdout?.resume();
  expect(await left).toBe(1);
  expect(said).toContain(`Cannot stay attached to container "loud": its output came faster than it was taken`);
}, 60_000);

test("beside a client that reads nothing, one that writes into a file gets every byte", async () => {
  await sandbox.ok(["run", "-d", "--name", "both", "--rootfs", rootfs, "sh", "-c", `${TICKING}; yes | head -n 2000000; echo end`]);
  const slow = sandbox.start(["attach", "--no-stdin", "both"]);
  await new Promise((resolve) => slow.stdout?.once("data", resolve));
  slow.stdout?.pause();
  const out = openSync(join(sandbox.dir, "fast.out"), "w");
  const fast = Bun.spawn([SAMPAN, "attach", "--no-stdin", "both"], { env: { ...process.env, ...sandbox.env }, stdin: "ignore", stdout: out, stderr: "ignore" });
  closeSync(out);
  await waitFor("the other to be attached", () => statSync(join(sandbox.dir, "fast.out")).size > 0);
  await sandbox.ok(["exec", "both", "touch", "/go"]);
  expect(await fast.exited).toBe(0);
  slow.kill("SIGKILL");
  const text = readFileSync(join(sandbox.dir, "fast.out"), "latin1").replace(/^(tick\n)+/, "");
  expect([text.length, text.endsWith("y\nend\n")]).toEqual([4_000_004, true]);
}, 60_000);

test("what cannot be attached to is told in Docker's words", async () => {
  await sandbox.ok(["run", "--name", "over", "--rootfs", rootfs, "true"]);
  const stopped = await sandbox.sampan(["attach", "over"]);
  expect(stopped.exitCode).toBe(1);
  expect(stopped.stderr).toContain("You cannot attach to a stopped container, start it first");
  await sandbox.ok(["run", "-dit", "--name", "other", "--rootfs", rootfs, "sh"]);
  expect((await sandbox.sampan(["attach", "other"], { input: "" })).stderr).toContain("the input device is not a TTY");
  await sandbox.ok(["pause", "other"]);
  expect((await sandbox.sampan(["attach", "other"])).stderr).toContain("You cannot attach to a paused container, unpause it first");
  await sandbox.ok(["unpause", "other"]);
});
