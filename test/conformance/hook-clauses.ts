import { expect } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clause, type Config, hookScript } from "./harness.ts";

const KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;

/** config.md POSIX-platform Hooks. */
export const hookClauses: readonly Clause[] = [
  {
    section: "config.md Hooks", text: "hooks are called in the order of the lifecycle, each kind in the listed order",
    prove: async (runtime) => {
      const order = join(runtime.dir, "order");
      rmSync(order, { force: true });
      const note = (kind: string, n: number): unknown => ({ path: hookScript(runtime.dir, `note-${kind}-${n}`, `cat >/dev/null; echo ${kind}${n} >> ${order}`) });
      const result = await runtime.run(["/bin/true"], (config) => {
        // The container's own hooks run in it, where this host's script is not: they are proved below.
        config.hooks = Object.fromEntries(KINDS.filter((kind) => kind !== "startContainer").map((kind) => [kind, [note(kind, 1), note(kind, 2)]]));
      });
      expect(result.exitCode).toBe(0);
      expect(readFileSync(order, "utf8").trim().split("\n")).toEqual(KINDS.filter((kind) => kind !== "startContainer").flatMap((kind) => [`${kind}1`, `${kind}2`]));
    },
  },
  {
    section: "config.md Hooks", text: "hooks of the runtime namespace get the state with the host's pid on standard input, their args and exactly their env",
    prove: async (runtime) => {
      const out = join(runtime.dir, "hook-state");
      const path = hookScript(runtime.dir, "state-hook", `cat > ${out}; echo >> ${out}; echo "$0 $1 $2" >> ${out}; /usr/bin/env >> ${out}; readlink /proc/self/ns/mnt >> ${out}`);
      const made = await runtime.bundle(["/bin/true"], (config) => { config.hooks = { createRuntime: [{ path, args: ["hook", "one", "two words"], env: ["ONLY=this"] }] }; });
      expect((await runtime.call(["run", "--bundle", made.dir, made.id])).exitCode).toBe(0);
      const text = readFileSync(out, "utf8");
      const [json = "", ...rest] = text.split("\n");
      const state = JSON.parse(json) as Record<string, unknown>; // runtime.md "State"
      expect(state).toMatchObject({ id: made.id, bundle: made.dir });
      expect(Number(state["pid"])).toBeGreaterThan(1);
      expect(rest.join("\n")).toContain("one two words");
      expect(rest.join("\n")).toContain("ONLY=this");
      expect(rest.join("\n")).not.toContain("HOME=");
      expect(rest.join("\n")).toContain(await hostNamespace("mnt"));
    },
  },
  {
    section: "config.md Hooks", text: "createContainer hooks run in the container's namespaces, while the old root is still there",
    prove: async (runtime) => {
      const out = join(runtime.dir, "create-container");
      const path = hookScript(runtime.dir, "create-container-hook", `cat >/dev/null; readlink /proc/self/ns/mnt > ${out}; readlink /proc/self/ns/uts >> ${out}`);
      expect((await runtime.run(["/bin/true"], (config) => { config.hooks = { createContainer: [{ path }] }; })).exitCode).toBe(0);
      const text = readFileSync(out, "utf8");
      expect(text).toStartWith("mnt:[");
      expect(text).not.toContain(await hostNamespace("mnt"));
      expect(text).not.toContain(await hostNamespace("uts"));
    },
  },
  {
    section: "config.md Hooks", text: "startContainer hooks resolve and run in the container, after start and before the program",
    prove: (runtime) => runtime.lifecycle(["/bin/sh", "-c", "cat /tmp/mark; echo program"], (config) => {
      writable(config);
      config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat > /tmp/state; echo hook > /tmp/mark"] }] };
    }, async (id, bundle) => {
      expect(readFileSync(join(bundle, "out"), "utf8")).toBe("");
      expect((await runtime.call(["start", id])).exitCode).toBe(0);
      for (let i = 0; i < 100 && !readFileSync(join(bundle, "out"), "utf8").includes("program"); i++) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(readFileSync(join(bundle, "out"), "utf8")).toContain("hook\nprogram");
    }),
  },
  {
    section: "config.md Hooks", text: "a startContainer hook that fails is an error of start, the program does not run, and the container is destroyed", notRunc: "only logs it in this release",
    prove: (runtime) => runtime.lifecycle(["/bin/sh", "-c", "echo program"], (config) => { config.hooks = { startContainer: [{ path: "/bin/false" }] }; }, async (id, bundle) => {
      expect((await runtime.call(["start", id])).exitCode).not.toBe(0);
      expect(readFileSync(join(bundle, "out"), "utf8")).not.toContain("program");
      expect((await runtime.call(["state", id])).exitCode).not.toBe(0);
    }),
  },
  {
    section: "config.md Hooks", text: "poststart hooks have run when start returns", notRunc: "runs them in create",
    prove: (runtime) => {
      const mark = join(runtime.dir, "poststart-mark");
      rmSync(mark, { force: true });
      return runtime.lifecycle(["/bin/sleep", "30"], (config) => { config.hooks = { poststart: [{ path: hookScript(runtime.dir, "poststart", `cat >/dev/null; touch ${mark}`) }] }; }, async (id) => {
        expect(existsSync(mark)).toBe(false);
        expect((await runtime.call(["start", id])).exitCode).toBe(0);
        expect(existsSync(mark)).toBe(true);
      });
    },
  },
  {
    section: "config.md Hooks", text: "a hook that takes longer than its timeout is killed, and that is an error",
    prove: async (runtime) => {
      const made = await runtime.bundle(["/bin/true"], (config) => { config.hooks = { createRuntime: [{ path: hookScript(runtime.dir, "slow", "exec sleep 60"), timeout: 1 }] }; });
      const started = performance.now();
      const result = await runtime.call(["create", "--bundle", made.dir, made.id]);
      expect(result.exitCode).not.toBe(0);
      expect(performance.now() - started).toBeLessThan(15_000);
    },
  },
  {
    section: "config.md Hooks", text: "a path that is not absolute is an error, and so is a timeout of zero", notRunc: "starts them all the same",
    prove: async (runtime) => {
      await runtime.refuses((config) => { config.hooks = { createRuntime: [{ path: "relative" }] }; });
      await runtime.refuses((config) => { config.hooks = { createRuntime: [{ path: "/bin/true", timeout: 0 }] }; });
    },
  },
];

async function hostNamespace(name: string): Promise<string> {
  const { readlink } = await import("node:fs/promises");
  return readlink(`/proc/self/ns/${name}`);
}

function writable(config: Config): void {
  config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid"] });
}

