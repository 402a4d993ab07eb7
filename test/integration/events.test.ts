/** What happens, told across processes, in Docker's shapes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, createTempDir, waitFor, type Sandbox } from "../support/index.ts";

const temp = createTempDir("events-");
let rootfs = "";
let box: Sandbox;

interface Event {
  status?: string; id?: string; from?: string;
  Type: string; Action: string; Actor: { ID: string; Attributes: Record<string, string> }; scope: string; time: number; timeNano: number;
}

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  box = createSandbox();
}, 60_000);

afterAll(async () => {
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** `sampan events` in a process of its own. */
async function follow(...options: string[]): Promise<{ text: () => string; stop: () => Promise<number | null> }> {
  const child = box.start(["events", ...options]);
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => { text += chunk.toString(); });
  // It follows from the moment at which it has marked its place: until it tells of something new, make something new.
  await waitFor("events to follow", async () => {
    const marker = await box.ok(["volume", "create"]);
    await box.ok(["volume", "rm", marker]);
    return text !== "" || options.some((option) => option.startsWith("type=container"));
  });
  if (options.some((option) => option.startsWith("type=container"))) await new Promise((done) => setTimeout(done, 500));
  return {
    text: () => text,
    stop: () => new Promise((resolve) => {
      child.once("exit", (code) => { resolve(code); });
      child.kill("SIGINT");
    }),
  };
}

const parse = (text: string): Event[] => text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Event); // Docker's event messages
const past = async (...options: string[]): Promise<Event[]> => parse(await box.ok(["events", "--since", "1h", "--until", "0s", "--format", "json", ...options]));
const actions = (events: Event[]): string[] => events.map(({ Type, Action }) => `${Type} ${Action}`);

test("follows what other processes do, from now on, until Ctrl-C", async () => {
  await box.ok(["run", "--rm", "--network", "none", "--name", "before", "--rootfs", rootfs, "true"]);
  const following = await follow("--format", "json");
  await box.ok(["run", "--rm", "--network", "none", "--name", "seen", "-l", "tier=web", "-v", "data:/v", "--rootfs", rootfs, "sh", "-c", "exit 3"]).catch(() => undefined);
  await box.ok(["volume", "rm", "data"]);
  await waitFor("the last event", () => /"destroy","Actor":\{"ID":"data"/.test(following.text()));
  expect(await following.stop()).toBe(0);
  const events = parse(following.text());
  expect(events.filter(({ Actor }) => Actor.Attributes["name"] === "before")).toEqual([]);
  const own = events.filter(({ Actor }) => Actor.Attributes["name"] === "seen");
  const order = own.map(({ Action }) => Action).filter((action) => ["create", "start", "die", "destroy"].includes(action));
  expect(order).toEqual(["create", "start", "die", "destroy"]);
  const die = own.find(({ Action }) => Action === "die");
  expect(die).toMatchObject({ status: "die", id: die?.Actor.ID, from: rootfs, Type: "container", scope: "local" });
  expect(die?.Actor.Attributes).toMatchObject({ exitCode: "3", image: rootfs, name: "seen", tier: "web" });
  expect(Object.keys(die?.Actor.Attributes ?? {})).toEqual(["exitCode", "image", "name", "tier"]); // by name, as Go writes a map
  // What else ends tells of no exit code.
  expect(own.find(({ Action }) => Action === "destroy")?.Actor.Attributes).toEqual({ image: rootfs, name: "seen", tier: "web" });
  expect(Math.floor((die?.timeNano ?? 0) / 1e9)).toBe(die?.time ?? -1);
  const volume = events.filter(({ Type, Actor }) => Type === "volume" && Actor.ID === "data");
  expect(actions(volume).sort()).toEqual(["volume create", "volume destroy", "volume mount", "volume unmount"]);
  expect(volume.find(({ Action }) => Action === "mount")?.Actor.Attributes).toEqual({ container: die?.Actor.ID ?? "", destination: "/v", driver: "local", propagation: "", "read/write": "true" });
}, 30_000);

test("replays since, ends at until, also where that is yet to come", async () => {
  await box.ok(["run", "--rm", "--network", "none", "--name", "replayed", "--rootfs", rootfs, "true"]);
  const replayed = actions(await past("--filter", "container=replayed"));
  for (const action of ["create", "start", "die", "destroy"]) expect(replayed).toContain(`container ${action}`);
  expect(parse(await box.ok(["events", "--since", "2001-01-01", "--until", "2001-01-02", "--format", "json"]))).toEqual([]);
  // Without since, a time that is over is the end at once.
  expect(await box.ok(["events", "--until", "1m"])).toBe("");
  const started = performance.now();
  const until = (Date.now() / 1000 + 1.5).toFixed(3);
  const [text] = await Promise.all([
    box.ok(["events", "--since", "1s", "--until", until, "--filter", "volume=late", "--format", "{{.Action}} {{.Actor.ID}}"]),
    new Promise((done) => setTimeout(done, 500)).then(() => box.ok(["volume", "create", "late"])),
  ]);
  expect(text).toBe("create late");
  expect(performance.now() - started).toBeGreaterThan(1200);
  const wrong = await box.sampan(["events", "--since", "yesterday"]);
  expect([wrong.exitCode, wrong.stdout]).toEqual([1, ""]);
  expect(wrong.stderr).toContain(`"yesterday"`);
}, 30_000);

test("filters as Docker's", async () => {
  await box.ok(["run", "--rm", "--network", "none", "--name", "filtered", "-l", "a=1", "-l", "b=2", "--rootfs", rootfs, "true"]);
  await box.ok(["volume", "create", "filter-volume"]);
  const of = (name: string): ((event: Event) => boolean) => ({ Actor }) => Actor.Attributes["name"] === name;
  expect(actions(await past("--filter", "container=filtered", "--filter", "event=start", "--filter", "event=die"))).toEqual(["container start", "container die"]);
  expect((await past("--filter", "type=volume")).every(({ Type }) => Type === "volume")).toBe(true);
  expect(actions(await past("--filter", "volume=filter-volume"))).toEqual(["volume create"]);
  expect((await past("--filter", "label=a=1", "--filter", "label=b")).every(of("filtered"))).toBe(true);
  expect(await past("--filter", "label=a=1", "--filter", "label=b=3")).toEqual([]);
  expect((await past("--filter", `image=${rootfs}`)).some(of("filtered"))).toBe(true);
  expect(await past("--filter", "image=nothing")).toEqual([]);
  const [first] = await past("--filter", "container=filtered");
  expect((await past("--filter", `container=${first?.Actor.ID.slice(0, 12) ?? ""}`)).every(of("filtered"))).toBe(true);
  expect((await box.sampan(["events", "--filter", "nonsense=1", "--until", "1s"])).stderr).toStartWith("sampan: invalid filter 'nonsense'\n");
});

test("the text is Docker's, sorted attributes and all", async () => {
  await box.ok(["run", "--rm", "--network", "none", "--name", "lines", "-l", "zone=eu", "--rootfs", rootfs, "true"]);
  const text = await box.ok(["events", "--since", "1h", "--until", "0s", "--filter", "container=lines", "--filter", "event=die"]);
  expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) container die [0-9a-f]{64} \(exitCode=0, image=[^,]+, name=lines, zone=eu\)$/);
});

test("a command in the background tells of its end, and inspect of those that run", async () => {
  const id = await box.ok(["run", "-d", "--network", "none", "--name", "execs", "--rootfs", rootfs, "sleep", "1000"]);
  await box.ok(["exec", "-d", "execs", "sh", "-c", "exit 3"]);
  await waitFor("the end of the command", async () => (await past("--filter", "container=execs", "--filter", "event=exec_die")).length === 1);
  const [end] = await past("--filter", "container=execs", "--filter", "event=exec_die");
  const [start] = await past("--filter", "container=execs", "--filter", "event=exec_start");
  expect(end?.Actor).toMatchObject({ ID: id, Attributes: { exitCode: "3", execID: start?.Actor.Attributes["execID"] ?? "", name: "execs" } });
  await box.ok(["exec", "-d", "execs", "sleep", "1000"]);
  const ids = JSON.parse(await box.ok(["inspect", "-f", "{{json .ExecIDs}}", "execs"])) as string[]; // Docker's array of ids
  expect(ids).toHaveLength(1);
  // One whose caller was killed does not run any more, although nobody has recorded its end.
  const child = box.start(["exec", "execs", "sleep", "999"]);
  const running = async (): Promise<number> => (JSON.parse(await box.ok(["inspect", "-f", "{{json .ExecIDs}}", "execs"])) as string[]).length; // as above
  await waitFor("the second command", async () => (await running()) === 2);
  child.kill("SIGKILL");
  await waitFor("only the first", async () => (await running()) === 1);
  await box.ok(["rm", "-f", "execs"]);
}, 30_000);

test("networks and copies are told, in Docker's order", async () => {
  await box.ok(["network", "create", "told"]);
  await box.ok(["run", "-d", "--network", "told", "--name", "member", "--rootfs", rootfs, "sleep", "1000"]);
  await box.ok(["cp", "member:/etc/passwd", "-"]);
  await box.ok(["cp", join(rootfs, "etc/group"), "member:/tmp/"]);
  await box.ok(["top", "member"]);
  await box.ok(["stop", "-t", "0", "member"]);
  await box.ok(["rm", "member"]);
  await box.ok(["network", "rm", "told"]);
  const id = (await past("--filter", "container=member"))[0]?.Actor.ID ?? "";
  const told = (await past()).filter(({ Actor }) => Actor.ID === id || Actor.Attributes["container"] === id || Actor.Attributes["name"] === "told");
  expect(actions(told).filter((action) => action !== "container kill")).toEqual([
    "network create", "container create", "network connect", "container start", "container archive-path", "container extract-to-dir", "container top",
    "container die", "network disconnect", "container stop", "container destroy", "network destroy",
  ]);
});
