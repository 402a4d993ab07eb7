import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../support/command.ts";
import { type Clause, hookScript, stateOf } from "./harness.ts";

const SLEEP = ["/bin/sleep", "60"];

/** runtime.md: state, lifecycle, operations. */
export const runtimeClauses: readonly Clause[] = [
  {
    section: "runtime.md State", text: "state has ociVersion, id, status, pid, the absolute bundle, and the annotations",
    prove: (runtime) => runtime.lifecycle(SLEEP, (config) => { config.annotations = { "org.example.key": "value" }; }, async (id, bundle) => {
      const state = await stateOf(runtime, id);
      expect(state).toMatchObject({ id, status: "created", bundle, annotations: { "org.example.key": "value" } });
      expect(String(state["ociVersion"])).toMatch(/^1\./);
      expect(existsSync(`/proc/${state.pid}`)).toBe(true);
    }),
  },
  {
    section: "runtime.md State", text: "status goes from created over running to stopped",
    prove: (runtime) => runtime.lifecycle(SLEEP, undefined, async (id) => {
      expect((await stateOf(runtime, id)).status).toBe("created");
      expect((await runtime.call(["start", id])).exitCode).toBe(0);
      expect((await stateOf(runtime, id)).status).toBe("running");
      expect((await runtime.call(["kill", id, "KILL"])).exitCode).toBe(0);
      await waitFor("it to stop", async () => (await stateOf(runtime, id)).status === "stopped");
    }),
  },
  {
    section: "runtime.md Lifecycle", text: "the user's program does not run before start",
    prove: (runtime) => runtime.lifecycle(["/bin/sh", "-c", "echo began"], undefined, async (id, bundle) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(readFileSync(join(bundle, "out"), "utf8")).not.toContain("began");
      expect((await runtime.call(["start", id])).exitCode).toBe(0);
      await waitFor("the program's word", () => readFileSync(join(bundle, "out"), "utf8").includes("began"));
    }),
  },
  {
    section: "runtime.md Lifecycle", text: "changes of config.json after create do not matter",
    prove: (runtime) => runtime.lifecycle(["/bin/sh", "-c", "echo original"], undefined, async (id, bundle) => {
      const path = join(bundle, "config.json");
      writeFileSync(path, readFileSync(path, "utf8").replace("echo original", "echo changed"));
      await runtime.call(["start", id]);
      await waitFor("the original's word", () => readFileSync(join(bundle, "out"), "utf8").includes("original"));
    }),
  },
  {
    section: "runtime.md Query State", text: "state of a container that is not there is an error, and so is state without an id",
    prove: async (runtime) => {
      expect((await runtime.call(["state", "no-such-container"])).exitCode).not.toBe(0);
      expect((await runtime.call(["state"])).exitCode).not.toBe(0);
    },
  },
  {
    section: "runtime.md Create", text: "create without an id, with an invalid id or without a bundle is an error",
    prove: async (runtime) => {
      const { dir } = await runtime.bundle(SLEEP);
      expect((await runtime.call(["create", "--bundle", dir])).exitCode).not.toBe(0);
      for (const id of ["../x", "a/b", "", "."]) expect((await runtime.call(["create", "--bundle", dir, id])).exitCode).not.toBe(0);
      expect((await runtime.call(["create", "--bundle", join(dir, "none"), "some-id"])).exitCode).not.toBe(0);
    },
  },
  {
    section: "runtime.md Create", text: "an id that is in use is an error, and the container that has it stays as it is",
    prove: (runtime) => runtime.lifecycle(SLEEP, undefined, async (id, bundle) => {
      const before = await stateOf(runtime, id);
      expect((await runtime.call(["create", "--bundle", bundle, id])).exitCode).not.toBe(0);
      expect(await stateOf(runtime, id)).toEqual(before);
    }),
  },
  {
    section: "runtime.md Start", text: "start of a container that is running, stopped or not there is an error without effect",
    prove: (runtime) => runtime.lifecycle(SLEEP, undefined, async (id) => {
      expect((await runtime.call(["start", id])).exitCode).toBe(0);
      const { pid } = await stateOf(runtime, id);
      expect((await runtime.call(["start", id])).exitCode).not.toBe(0);
      expect(await stateOf(runtime, id)).toMatchObject({ pid, status: "running" });
      await runtime.call(["kill", id, "KILL"]);
      await waitFor("it to stop", async () => (await stateOf(runtime, id)).status === "stopped");
      expect((await runtime.call(["start", id])).exitCode).not.toBe(0);
      expect((await runtime.call(["start", "no-such-container"])).exitCode).not.toBe(0);
    }),
  },
  {
    section: "runtime.md Start", text: "start is an error where process is not set; the container can be made", notRunc: "refuses such a config at create",
    prove: (runtime) => runtime.lifecycle(SLEEP, (config) => { delete (config as Record<string, unknown>)["process"]; }, async (id) => {
      expect((await stateOf(runtime, id)).status).toBe("created");
      expect((await runtime.call(["start", id])).exitCode).not.toBe(0);
      expect((await stateOf(runtime, id)).status).toBe("created");
    }),
  },
  {
    section: "runtime.md Kill", text: "kill sends the signal that is named to the container's process",
    prove: (runtime) => runtime.lifecycle(["/bin/sh", "-c", "trap 'echo got-usr1; exit 0' USR1; echo ready; while true; do sleep 0.1; done"], undefined, async (id, bundle) => {
      const out = (): string => readFileSync(join(bundle, "out"), "utf8");
      await runtime.call(["start", id]);
      await waitFor("the trap", () => out().includes("ready"));
      expect((await runtime.call(["kill", id, "SIGUSR1"])).exitCode).toBe(0);
      await waitFor("the signal", () => out().includes("got-usr1"));
    }),
  },
  {
    section: "runtime.md Kill", text: "kill of a stopped container, or of none, is an error",
    prove: (runtime) => runtime.lifecycle(["/bin/true"], undefined, async (id) => {
      await runtime.call(["start", id]);
      await waitFor("it to stop", async () => (await stateOf(runtime, id)).status === "stopped");
      expect((await runtime.call(["kill", id, "TERM"])).exitCode).not.toBe(0);
      expect((await runtime.call(["kill", "no-such-container", "TERM"])).exitCode).not.toBe(0);
      expect((await runtime.call(["kill"])).exitCode).not.toBe(0);
    }),
  },
  {
    section: "runtime.md Delete", text: "delete of a running container is an error without effect",
    prove: (runtime) => runtime.lifecycle(SLEEP, undefined, async (id) => {
      await runtime.call(["start", id]);
      const before = await stateOf(runtime, id);
      expect((await runtime.call(["delete", id])).exitCode).not.toBe(0);
      expect(await stateOf(runtime, id)).toEqual(before);
    }),
  },
  {
    section: "runtime.md Delete", text: "delete of a created container is an error without effect", notRunc: "kills and deletes it",
    prove: (runtime) => runtime.lifecycle(SLEEP, undefined, async (id) => {
      expect((await runtime.call(["delete", id])).exitCode).not.toBe(0);
      expect((await stateOf(runtime, id)).status).toBe("created");
    }),
  },
  {
    section: "runtime.md Delete", text: "delete removes what create made, and the id is free again",
    prove: async (runtime) => {
      const { dir, id } = await runtime.bundle(["/bin/true"]);
      for (let round = 0; round < 2; round++) {
        expect((await runtime.call(["run", "--keep", "--bundle", dir, id].filter((word) => runtime.name !== "runc" || word !== "--keep"))).exitCode).toBe(0);
        if (runtime.name !== "runc") expect((await runtime.call(["delete", id])).exitCode).toBe(0);
        expect((await runtime.call(["state", id])).exitCode).not.toBe(0);
        for (const hierarchy of ["memory", "pids", "freezer", "unified"]) expect(existsSync(`/sys/fs/cgroup/${hierarchy}/sampan-test-${id}`)).toBe(false);
      }
    },
  },
  {
    section: "runtime.md Errors", text: "a creation that fails leaves neither a container nor a cgroup",
    prove: async (runtime) => {
      const { dir, id } = await runtime.bundle(["/no/such/program"]);
      expect((await runtime.call(["create", "--bundle", dir, id])).exitCode).not.toBe(0);
      expect((await runtime.call(["state", id])).exitCode).not.toBe(0);
      for (const hierarchy of ["memory", "pids", "freezer", "unified"]) expect(existsSync(`/sys/fs/cgroup/${hierarchy}/sampan-test-${id}`)).toBe(false);
    },
  },
  {
    section: "runtime.md Lifecycle", text: "a createRuntime hook that fails is an error, and the container is destroyed",
    prove: async (runtime) => {
      const { dir, id } = await runtime.bundle(SLEEP, (config) => { config.hooks = { createRuntime: [{ path: hookScript(runtime.dir, "fails", "exit 3") }] }; });
      const result = await runtime.call(["create", "--bundle", dir, id]);
      expect(result.exitCode).not.toBe(0);
      expect((await runtime.call(["state", id])).exitCode).not.toBe(0);
    },
  },
  {
    section: "runtime.md Lifecycle", text: "a poststop hook that fails is no error", notRunc: "exits with 0 only in newer releases",
    prove: async (runtime) => {
      const mark = join(runtime.dir, "poststop-second");
      const result = await runtime.run(["/bin/true"], (config) => {
        config.hooks = { poststop: [{ path: hookScript(runtime.dir, "fails", "exit 3") }, { path: hookScript(runtime.dir, "second", `touch ${mark}`) }] };
      });
      expect(result.exitCode).toBe(0);
      expect(existsSync(mark)).toBe(true);
    },
  },
];
