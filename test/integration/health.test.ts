/** Health checks by what a person sees of them: verdicts, events, and what they leave on the disk. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, waitFor, type Sandbox } from "../support/index.ts";

let box: Sandbox;
let rootfs = "";
beforeAll(async () => {
  box = createSandbox();
  rootfs = await busyboxRootfs(join(box.dir, "rootfs"));
});
afterAll(() => box[Symbol.asyncDispose]());

const start = (name: string, ...words: string[]): Promise<string> => box.ok(["run", "-d", "--name", name, "--network", "none", ...words.slice(0, -1), "--rootfs", rootfs, "sh", "-c", words.at(-1) ?? ""]);
const status = (name: string): Promise<string> => box.ok(["inspect", "-f", "{{.State.Health.Status}}", name]);
const events = (name: string): Promise<string> => box.ok(["events", "--since", "1h", "--until", "0s", "--filter", `container=${name}`, "--filter", "event=health_status", "--format", "{{.Action}}"]);

test("an interval that is shorter than the start period's own is kept in it", async () => {
  await start("early", "--health-cmd", "test -e /ok", "--health-interval", "100ms", "--health-start-period", "1h", "echo >/ok; exec sleep 1000");
  await waitFor("the first verdict, long before five seconds are over", async () => (await status("early")) === "healthy", 4000);
  expect(await events("early")).toBe("health_status: healthy");
  await box.ok(["rm", "-f", "early"]);
}, 30_000);

test("a check that begins in the start period and ends after it does not count, and the verdict is told when it is due", async () => {
  await start("slow", "--health-cmd", "sleep 0.7; false", "--health-interval", "100ms", "--health-start-period", "600ms", "--health-retries", "2", "exec sleep 1000");
  await waitFor("the verdict's event", async () => (await events("slow")) !== "");
  expect([await events("slow"), await status("slow")]).toEqual(["health_status: unhealthy", "unhealthy"]);
  await box.ok(["rm", "-f", "slow"]);
}, 30_000);

test("what checks have said takes a bounded part of the disk", async () => {
  const id = await start("chatty", "--health-cmd", "head -c 4000 /dev/zero | tr '\\0' x", "--health-interval", "1ms", "exec sleep 1000");
  const log = join(box.root, "containers", id, "health");
  await waitFor("much to have been said", () => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 800_000, 20_000);
  expect(statSync(log).blocks * 512).toBeLessThan(600_000);
  expect(await box.ok(["inspect", "-f", "{{.State.Health.Status}} {{len .State.Health.Log}}", "chatty"])).toBe("healthy 5");
  await box.ok(["rm", "-f", "chatty"]);
}, 60_000);
