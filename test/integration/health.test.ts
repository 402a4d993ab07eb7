/** Health checks by what a person sees of them: verdicts, events, and what they leave on the disk. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
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
  const id = await start("early", "--health-cmd", "test -e /ok", "--health-interval", "100ms", "--health-start-period", "1h", "echo >/ok; exec sleep 1000");
  await waitFor("the first verdict", async () => (await status("early")) === "healthy");
  const started = Date.parse(await box.ok(["inspect", "-f", "{{.State.StartedAt}}", "early"]));
  const [probed = ""] = readFileSync(join(box.root, "containers", id, "health"), "latin1").split(" "); // when the first one began
  expect(Date.parse(probed) - started).toBeLessThan(4000); // the other interval is five seconds
  await waitFor("its event", async () => (await events("early")) === "health_status: healthy");
  await box.ok(["rm", "-f", "early"]);
}, 30_000);

test("a check that begins in the start period and ends after it does not count, and the verdict is told when it is due", async () => {
  await start("slow", "--health-cmd", "sleep 0.7; false", "--health-interval", "100ms", "--health-start-period", "600ms", "--health-retries", "2", "exec sleep 1000");
  await waitFor("the verdict's event", async () => (await events("slow")) !== "");
  expect([await events("slow"), await status("slow")]).toEqual(["health_status: unhealthy", "unhealthy"]);
  await box.ok(["rm", "-f", "slow"]);
}, 30_000);

const health = async (name: string): Promise<{ Status: string; FailingStreak: number; Log: { ExitCode: number; Output: string }[] } | null> =>
  JSON.parse(await box.ok(["inspect", "-f", "{{json .State.Health}}", name])) as ReturnType<typeof health>; // as Docker's

test("a check that cannot be executed says why, and a container that never ran has no health", async () => {
  await box.ok(["create", "--name", "broken", "--network", "none", "--health-cmd", "true", "--health-interval", "50ms", "--health-retries", "1", "--rootfs", rootfs, "sh", "-c", "rm /bin/sh; exec sleep 1000"]);
  expect(await health("broken")).toBeNull();
  await box.ok(["start", "broken"]);
  await waitFor("the verdict", async () => (await health("broken"))?.Status === "unhealthy");
  expect((await health("broken"))?.Log.at(-1)).toMatchObject({ ExitCode: -1, Output: 'Cannot execute "/bin/sh": no such file or directory (ENOENT)' });
  await box.ok(["rm", "-f", "broken"]);
}, 30_000);

test("a paused container is not probed: nothing times out meanwhile, not even the probe that froze with it", async () => {
  await start("icy", "--health-cmd", "echo >/probing; sleep 0.3", "--health-interval", "50ms", "--health-timeout", "400ms", "--health-retries", "1", "exec sleep 1000");
  await waitFor("a verdict, and the next probe", async () => (await health("icy"))?.Status === "healthy" && (await box.sampan(["exec", "icy", "rm", "/probing"])).exitCode === 0);
  await waitFor("a probe under way", async () => (await box.sampan(["exec", "icy", "test", "-e", "/probing"])).exitCode === 0);
  await box.ok(["pause", "icy"]);
  const before = await health("icy");
  expect(before?.Status).toBe("unhealthy"); // nobody looks
  await Bun.sleep(1200); // three times what a probe has
  expect((await health("icy"))?.Log).toEqual(before?.Log);
  await box.ok(["unpause", "icy"]);
  await waitFor("probes again", async () => (await health("icy"))?.Status === "healthy" && JSON.stringify((await health("icy"))?.Log) !== JSON.stringify(before?.Log));
  await waitFor("its event", async () => (await events("icy")) === "health_status: healthy");
  await box.ok(["rm", "-f", "icy"]);
}, 30_000);

test("what checks have said takes a bounded part of the disk", async () => {
  const id = await start("chatty", "--health-cmd", "head -c 4000 /dev/zero | tr '\\0' x", "--health-interval", "1ms", "exec sleep 1000");
  const log = join(box.root, "containers", id, "health");
  await waitFor("much to have been said", () => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 800_000, 20_000);
  expect(statSync(log).blocks * 512).toBeLessThan(600_000);
  expect(await box.ok(["inspect", "-f", "{{.State.Health.Status}} {{len .State.Health.Log}}", "chatty"])).toBe("healthy 5");
  await box.ok(["rm", "-f", "chatty"]);
}, 60_000);
