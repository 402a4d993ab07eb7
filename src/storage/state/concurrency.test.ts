import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openState } from "./index.ts";
import { temporaryDirectory } from "./testing.ts";

const door = join(import.meta.dir, "index.ts");

/** Another process with the state module at hand. */
function spawn(path: string, program: string) {
  return Bun.spawn([process.execPath, "-e", `const state = await import(${JSON.stringify(door)}); const path = ${JSON.stringify(path)}; ${program}`], {
    stdout: "pipe",
    stderr: "pipe",
    env: {},
  });
}

const HELPERS = `
  const id = () => crypto.getRandomValues(new Uint8Array(32)).toHex();
  const make = (store, name) => state.reserveRun(store, {
    container: { id: id(), name, createdMs: Date.now(), imageReference: "x", config: "{}".repeat(2000) },
    resources: [{ kind: "cgroup", key: "/c", lifetime: "run" }], actions: ["create"], timeNs: 1n,
    within: (c) => { if (store.networks.get("n")) store.networks.leaseAddress("n", c.id, "p", ({ leases, cursor }) => {
      let n = Number(cursor ?? 1); do n++; while (leases.includes(String(n))); return { address: String(n), cursor: String(n) }; }); },
  });`;

describe("many processes", () => {
  test("a hundred at once, beginning with no file: all succeed, one gets the name, no address twice", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "deep", "state.db");
    const children = Array.from({ length: 100 }, () =>
      spawn(path, `${HELPERS}
        const store = state.openState(path);
        store.transaction(() => { if (store.networks.get("n") === undefined) store.networks.create({ id: "n", name: "n", driver: "bridge", bridge: null, config: "{}", labels: {}, createdMs: 1 }); });
        make(store);
        try { make(store, "web"); console.log("won"); } catch (error) { console.log(error.message.startsWith("Conflict. ") ? "lost" : error.message); }
        store.close();`),
    );
    const results = await Promise.all(children.map(async (child) => [
      await new Response(child.stdout).text(),
      await new Response(child.stderr).text(),
      await child.exited,
    ] as const));
    expect(results.filter(([, stderr, code]) => stderr !== "" || code !== 0)).toEqual([]);
    expect(results.map(([stdout]) => stdout.trim()).sort()).toEqual([...Array<string>(99).fill("lost"), "won"]);
    using store = openState(path);
    expect(store.containers.list().length).toBe(101);
    const addresses = store.networks.addresses("n").map(({ address }) => Number(address));
    expect(addresses.sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, i) => i + 2));
    expect(store.events.lastId()).toBe(101);
    expect(store.integrityProblems()).toEqual([]);
    expect(readdirSync(join(directory.path, "deep")).filter((name) => name.includes("new"))).toEqual([]);
  }, 60_000);

  test("a writer killed at any moment leaves whole transactions only", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "state.db");
    let before = 0;
    for (let round = 0; round < 12; round++) {
      const child = spawn(path, `${HELPERS}
        const store = state.openState(path);
        console.log("open");
        for (;;) {
          const one = make(store), two = make(store);
          store.containers.transition(one.id, ["creating"], "running");
          state.finishRun(store, one.id, { fields: { finishedMs: 1, exitCode: 0 }, remove: true, timeNs: 2n });
        }`);
      await child.stdout.getReader().read();
      await Bun.sleep(round * 4 + Math.random() * 10);
      child.kill(9);
      await child.exited;
      using store = openState(path);
      expect(store.integrityProblems()).toEqual([]);
      const containers = store.containers.list();
      for (const { id, status } of containers) {
        expect(store.containers.config(id).length).toBe(4000);
        expect(store.resources.list(id).length).toBe(1);
        expect(["creating", "running"]).toContain(status);
      }
      // One event for each container ever made; the finished ones have left nothing else.
      expect(store.events.list().filter(({ actorId }) => containers.some(({ id }) => id === actorId)).length).toBe(Math.min(
        containers.length,
        store.events.list().length,
      ));
      expect(store.resources.orphans()).toEqual([]);
      expect(containers.length).toBeGreaterThanOrEqual(before);
      before = containers.length;
    }
    expect(before).toBeGreaterThan(10);
  }, 60_000);

  test("a transaction waits for another's end, and sees what it did", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "state.db");
    using store = openState(path);
    const holder = spawn(path, `${HELPERS}
      const store = state.openState(path);
      store.transaction(() => { make(store, "first"); console.log("in"); Bun.sleepSync(400); });
      store.close();`);
    await holder.stdout.getReader().read();
    const start = performance.now();
    expect(store.transaction(() => store.containers.list().length)).toBe(1);
    expect(performance.now() - start).toBeGreaterThan(100);
    expect(await holder.exited).toBe(0);
  }, 20_000);
});
