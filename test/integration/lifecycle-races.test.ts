/** Several commands at one container at once: each one says what it found, none hangs, and what is left is true. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { busyboxRootfs, createSandbox } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const start = (name: string): Promise<string> =>
  sandbox.ok(["run", "-d", "--name", name, "--network", "none", "--stop-timeout", "1", "--rootfs", rootfs, "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]);

/** What a command may say when another was faster; anything else is a fault. */
const EXPECTED = /^(sampan: (Cannot (kill|restart) container: ?\S*: )?(Container|container) \S+ (is not running|is not paused|is already paused|is paused, unpause the container before exec)|sampan: (No such container: \S+|cannot start a paused container, try unpause instead|removal of container \S+ is already in progress|container is marked for removal and cannot be started|Cannot restart container \S+: container is marked for removal and cannot be started|Cannot pause the container: it was let go on, or has ended, meanwhile)|(Start it first|Go on with|Thaw it with): .*)$/;

test("start, stop, restart, kill, pause, unpause, exec and update", async () => {
  await start("busy");
  const commands = [["stop", "busy"], ["start", "busy"], ["restart", "busy"], ["kill", "busy"], ["pause", "busy"], ["unpause", "busy"], ["exec", "busy", "true"], ["update", "-m", "50m", "busy"], ["update", "--cpus", "0.5", "busy"]];
  const results = await Promise.all([1, 2, 3, 4].flatMap(() => commands).map((words) => sandbox.sampan(words, { timeoutMs: 60_000 })));
  const said = results.flatMap(({ stderr }) => stderr.split("\n")).filter((line) => line !== "");
  expect(said.filter((line) => !EXPECTED.test(line))).toEqual([]);
  expect(results.filter(({ exitCode }) => exitCode === null || ![0, 1, 126, 137].includes(exitCode))).toEqual([]);
  await sandbox.ok(["restart", "-t", "0", "busy"]);
  // No update was lost, whatever the container did meanwhile.
  expect(await sandbox.ok(["inspect", "-f", "{{.State.Status}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "busy"])).toBe("running 52428800 500000000");
}, 90_000);

test("a restart beside whoever starts and pauses it returns", async () => {
  await start("paused");
  const rounds = Array.from({ length: 6 }, () => [["restart", "-t", "0", "paused"], ["start", "paused"], ["pause", "paused"]]).flat();
  const results = await Promise.all(rounds.map((words) => sandbox.sampan(words, { timeoutMs: 60_000 })));
  expect(results.flatMap(({ stderr }) => stderr.split("\n")).filter((line) => line !== "" && !EXPECTED.test(line))).toEqual([]);
  await sandbox.ok(["rm", "-f", "paused"]);
}, 90_000);

test("rm -f beside start, restart and exec: gone, and nothing left", async () => {
  for (let round = 0; round < 3; round++) {
    const id = await start("doomed");
    const commands = [["rm", "-f", "doomed"], ["start", "doomed"], ["restart", "-t", "0", "doomed"], ["exec", "doomed", "true"], ["rm", "-f", "doomed"]];
    const results = await Promise.all([...commands, ...commands].map((words) => sandbox.sampan(words, { timeoutMs: 60_000 })));
    expect(results.flatMap(({ stderr }) => stderr.split("\n")).filter((line) => line !== "" && !EXPECTED.test(line))).toEqual([]);
    expect(await sandbox.ok(["ps", "-aq", "--no-trunc", "--filter", `id=${id}`])).toBe("");
  }
}, 90_000);
