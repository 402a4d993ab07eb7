/** A plan that was kept is another container's plan, and nobody can tell but by the time it takes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { busyboxRootfs } from "../support/index.ts";

let world: HostNetns;
let rootfs = "";
beforeAll(async () => {
  world = await createHostNetns();
  rootfs = await busyboxRootfs(join(world.sandbox.dir, "rootfs"));
});
afterAll(() => world[Symbol.asyncDispose]());

const plans = (): string => join(world.sandbox.root, "cache/plans");
const files = (): string[] => readdirSync(plans()).sort().map((name) => join(plans(), name));
const script = "hostname; ip -o -4 addr show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/'; cat /proc/self/cgroup | sed -n 's#.*/sampan/##p' | sort -u; echo end";
const start = async (): Promise<string[]> => {
  const id = await world.sandbox.ok(["run", "-d", "--cgroupns", "host", "--rootfs", rootfs, "sh", "-c", `${script}; sleep 60`]);
  await world.sandbox.ok(["exec", id, "sh", "-c", "until [ -e /proc/1/root ]; do :; done"]);
  for (;;) {
    const lines = (await world.sandbox.ok(["logs", id])).split("\n");
    if (lines.includes("end")) return [id, ...lines];
  }
};

test("containers of one command have their own ids, names, addresses and groups", async () => {
  const [first, second, third] = [await start(), await start(), await start()];
  for (const [id = "", name, address, ...groups] of [first, second, third]) {
    expect(name).toBe(id.slice(0, 12));
    expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(groups.slice(0, -1).every((group) => group === id)).toBe(true);
  }
  expect(new Set([first[2], second[2], third[2]]).size).toBe(3);
  for (const container of await world.sandbox.ok(["ps", "-q"]).then((text) => text.split("\n"))) await world.sandbox.ok(["rm", "-f", container]);
});

test("they are root's alone, and a damaged one is made anew", async () => {
  expect(statSync(plans()).mode & 0o777).toBe(0o700);
  const run = ["run", "--rm", "--network", "none", "--rootfs", rootfs, "echo", "x"];
  expect(await world.sandbox.ok(run)).toBe("x");
  const kept = files();
  expect(kept.length).toBeGreaterThan(1);
  for (const file of kept) expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = kept.map((file) => readFileSync(file));
  expect(await world.sandbox.ok(run)).toBe("x");
  expect(files().map((file) => readFileSync(file))).toEqual(before); // found, and not written again
  kept.forEach((file, n) => { if (n % 2 === 0) truncateSync(file, 1000); else writeFileSync(file, before[n]?.fill(0, 100, 200) ?? ""); });
  expect(await world.sandbox.ok(run)).toBe("x");
  expect(await world.sandbox.ok(run)).toBe("x");
});

test("what cannot be executed is explained as ever, the second time too", async () => {
  for (let n = 0; n < 2; n++) {
    const { exitCode, stderr } = await world.sandbox.sampan(["run", "--rm", "--network", "none", "--name", `try${n}`, "--rootfs", rootfs, "/nothing"]);
    expect(exitCode).toBe(127);
    expect(stderr).toContain(`Cannot execute "/nothing" in container "try${n}"`);
  }
});
