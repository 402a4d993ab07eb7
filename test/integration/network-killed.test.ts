// `network connect` and `disconnect` killed in the middle: whoever comes next, whatever for, finds all of it or nothing. Needs root, ip, nft, python3.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { containing, matching } from "../support/matching.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
let keel = "";
beforeAll(async () => {
  world = await createHostNetns();
  await ok("network", "create", "--subnet", "10.90.0.0/29", "back");
  await world.serve("web", "-p", "8080:80");
  await ok("run", "-d", "--name", "db", "--network", "back", "host", "sleep", "600");
  keel = `${world.sandbox.root}/${readdirSync(world.sandbox.root).find((name) => /^keel-[0-9a-f]+$/.test(name)) ?? "keel"}`;
  copyFileSync(keel, `${keel}.real`);
});
afterAll(async () => { await world[Symbol.asyncDispose](); });

const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);

/** A command that is killed when it calls the executor for the first time: before that has done anything, or once it has done it. */
async function killed(when: "before" | "after", ...args: string[]): Promise<void> {
  writeFileSync(`${keel}.killer`, `#!/bin/sh\n${when === "after" ? `'${keel}.real' "$@"\n` : ""}kill -9 $PPID\n`, { mode: 0o700 });
  renameSync(`${keel}.killer`, keel);
  const { exitCode, signal } = await world.sandbox.sampan(args);
  copyFileSync(`${keel}.real`, `${keel}.new`);
  renameSync(`${keel}.new`, keel);
  expect([exitCode, signal]).toBeOneOf([[137, null], [null, "SIGKILL"]]);
}

const interfaces = async (): Promise<string[]> => (await ok("exec", "web", "ls", "/sys/class/net")).split("\n");
const hostEnds = (): number => (world.host.ip("link") as { ifname: string }[]).filter(({ ifname }) => ifname.startsWith("spv")).length; // ip(8) -j
/** In the order of their ids, and so in any. */
const members = async (): Promise<string> => (await ok("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", "back")).trim().split(" ").sort().join(" ");
const knownToDb = (): Promise<string> => ok("exec", "db", "sh", "-c", "getent -s files hosts web >/dev/null && echo yes || echo no");

const LOOKS: readonly (readonly [string, () => Promise<string>, string])[] = [
  ["inspect", () => ok("container", "inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", "web"), "bridge "],
  ["network inspect", members, "db"],
  ["ps", () => ok("ps", "--filter", "name=web", "--format", "{{.Networks}}"), "bridge"],
  ["network ls", () => ok("network", "ls", "--filter", "name=back", "--format", "{{.Name}}"), "back"],
  ["network prune", () => ok("network", "prune", "-f"), ""],
  ["network reload", () => ok("network", "reload"), ""],
];

test.each(LOOKS)("%s takes away what a connection left that was killed before or after it made the interface", async (_, look, answer) => {
  for (const when of ["before", "after"] as const) {
    await killed(when, "network", "connect", "back", "web");
    expect(await look()).toBe(answer);
    expect(await interfaces()).toEqual(["eth0", "lo"]);
    expect(hostEnds()).toBe(2);
    expect(await members()).toBe("db");
    expect(await knownToDb()).toBe("no");
  }
});

test("the same connection again makes it whole, and its disconnection says that there was none; no address is lost", async () => {
  for (const when of ["before", "after"] as const) {
    await killed(when, "network", "connect", "back", "web");
    await ok("network", "connect", "back", "web");
    expect(await interfaces()).toEqual(["eth0", "eth1", "lo"]);
    expect(await members()).toBe("db web");
    expect(await knownToDb()).toBe("yes");
    await ok("network", "disconnect", "back", "web");
    await killed(when, "network", "connect", "back", "web");
    const { exitCode, stderr } = await world.sandbox.sampan(["network", "disconnect", "back", "web"]);
    expect([exitCode, stderr]).toEqual([1, containing("is not connected to network back")]);
    expect(await interfaces()).toEqual(["eth0", "lo"]);
  }
  // A /29 has five addresses, and the db has one of them.
  const names = ["n1", "n2", "n3", "n4"];
  for (const name of names) await ok("run", "-d", "--name", name, "--network", "back", "host", "sleep", "600");
  await ok("rm", "-f", ...names);
});

test("a disconnection that was killed has been: routes and published ports go by the network that is left", async () => {
  const outside = { "tcp,198.51.100.1,8080": "web 198.51.100.9" };
  for (const when of ["before", "after"] as const) {
    await ok("network", "connect", "back", "web");
    await killed(when, "network", "disconnect", "bridge", "web");
    expect(await ok("ps", "--filter", "name=web", "--format", "{{.Networks}}")).toBe("back");
    expect(await interfaces()).toEqual(["eth1", "lo"]);
    expect(await ok("exec", "web", "ip", "route", "show", "default")).toBe("default via 10.90.0.1 dev eth1 ");
    expect(world.ask(world.outside, "tcp,198.51.100.1,8080")).toEqual(outside);
    expect(world.ask(world.host, "tcp,::1,8080")).toEqual({ "tcp,::1,8080": matching(/^web /) });
    await ok("network", "connect", "bridge", "web");
    await ok("network", "disconnect", "back", "web");
    expect(world.ask(world.outside, "tcp,198.51.100.1,8080")).toEqual(outside);
  }
});

test("the bridge of a network whose removal was killed goes with the next network that is made or removed, or with prune", async () => {
  const bridges = (): string[] => (world.host.ip("link") as { ifname: string }[]).map(({ ifname }) => ifname).filter((name) => name.startsWith("spt")); // ip(8) -j
  for (const next of [["network", "create", "-o", "bridge=spt1", "other"], ["network", "rm", "other"], ["network", "prune", "-f"], ["network", "reload"]]) {
    await ok("network", "create", "-o", "bridge=spt0", "short");
    await killed("before", "network", "rm", "short");
    expect(bridges()).toContain("spt0");
    expect(await ok("network", "ls", "-q", "--filter", "name=short")).toBe("");
    await ok(...next);
    expect(bridges()).toEqual(next[1] === "create" ? ["spt1"] : []);
  }
});

test("a container that ends half connected is on its next start where it was told to be, with nothing left over", async () => {
  await killed("after", "network", "connect", "back", "web");
  await ok("restart", "-t", "0", "web");
  expect(await ok("ps", "--filter", "name=web", "--format", "{{.Networks}}")).toBe("bridge,back");
  expect(await members()).toBe("db web");
  expect(await knownToDb()).toBe("yes");
});
