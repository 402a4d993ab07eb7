import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readableStages, stageLines } from "../../plan/explain-text.ts";
import type { Plan } from "../../plan/index.ts";
import type { CgroupHost } from "../../runtime/cgroups/index.ts";
import { openState } from "../../storage/state/index.ts";
import { emptyRunRequest } from "../request.ts";
import type { RunRequest } from "../request.ts";
import { RehearsalContext, explainRun, rehearse } from "./explain.ts";

const PAGE = join(import.meta.dirname, "../../../docs/how-a-container-starts.md");

/** A host as most are, so that the page reads the same wherever it is checked. */
class PlainHost extends RehearsalContext {
  override get cgroups(): CgroupHost {
    const names = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];
    const unified = { version: 2 as const, mountpoint: "/sys/fs/cgroup", controllers: names, root: "/", own: "/" };
    return { version: "v2", unified, hierarchies: [unified], controllers: new Map(names.map((name) => [name, unified])) };
  }

  override get kernelVersion(): string {
    return "6.12.0";
  }
}

const request = (change: Partial<RunRequest> = {}): RunRequest => ({ ...emptyRunRequest("host", ["true"]), remove: true, networks: [{ network: "none", aliases: [] }], hostname: "box", ...change });

async function plainPlan(): Promise<Plan> {
  using context = new PlainHost({ root: "/var/lib/sampan", state: "/run/sampan", command: ["/usr/bin/sampan"] });
  return await rehearse(context, request()); // not before: the context goes with this scope
}

describe("docs/how-a-container-starts.md", () => {
  test("shows the plan as it is (SAMPAN_WRITE_DOCS=1 writes it anew)", async () => {
    const { stages } = readableStages(await plainPlan());
    const page = readFileSync(PAGE, "utf8");
    const shown = new Set<string>();
    const fresh = page.replace(/(<!-- plan: (outer|inner) ([^\n]+) -->\n```text\n)[^]*?(```\n<!-- end -->)/g, (_, head: string, side: string, name: string, end: string) => {
      const found = stages.filter((stage) => stage.side === side && stage.stage === name);
      if (found.length === 0) throw new Error(`the plan has no stage "${name}" on the ${side} side`);
      shown.add(`${side} ${name}`);
      return `${head}${found.flatMap((stage) => stageLines(stage, { columns: 110 })).map((line) => line.trimEnd()).join("\n")}\n${end}`;
    });
    if (process.env["SAMPAN_WRITE_DOCS"] === "1") writeFileSync(PAGE, fresh);
    // The number of instructions of the filter is the architecture's.
    const plain = (text: string): string => text.replace(/\d+ instructions/g, "N instructions");
    expect(plain(fresh)).toBe(plain(page));
    expect(stages.map(({ side, stage }) => `${side} ${stage}`).filter((stage) => !shown.has(stage))).toEqual([]);
  });
});

/** What a promise is rejected with; bun's own matcher is not typed as a promise. */
async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "nothing went wrong";
}

describe("explain", () => {
  test("makes nothing, needs no store, and takes what it used away", async () => {
    const temp = mkdtempSync(join(tmpdir(), "explain-test-"));
    try {
      using context = new RehearsalContext({ root: join(temp, "root"), state: join(temp, "state"), command: [] });
      const before = readdirSync(tmpdir()).filter((name) => name.startsWith("sampan-explain-"));
      const result = await explainRun(context, request(), {});
      expect(result.text({ columns: 80 })).toContain("pivot_root");
      expect(readdirSync(temp)).toEqual([]);
      expect(readdirSync(tmpdir()).filter((name) => name.startsWith("sampan-explain-") && !before.includes(name))).toEqual([]);
    } finally {
      rmSync(temp, { recursive: true });
    }
    expect(existsSync(temp)).toBe(false);
  });

  test("sees the state that there is, and leaves it as it was", async () => {
    const temp = mkdtempSync(join(tmpdir(), "explain-test-"));
    try {
      const options = { root: join(temp, "root"), state: join(temp, "state"), command: [] };
      const store = openState(join(temp, "root/state.db"));
      const rows = (): number => store.containers.list().length;
      expect(rows()).toBe(0);
      using context = new RehearsalContext(options);
      expect((await rehearse(context, request({ name: "taken" }))).inner.calls.length).toBeGreaterThan(100);
      expect(context.store.containers.list()).toHaveLength(1);
      expect(rows()).toBe(0);
      expect(await failure(rehearse(context, request({ name: "taken" })))).toContain("taken"); // as a second run would
      store.close();
      expect(readdirSync(join(temp, "root")).filter((name) => name !== "state" && !name.startsWith("state.db"))).toEqual([]);
    } finally {
      rmSync(temp, { recursive: true });
    }
  });

  test("says what is wrong with a request, as run does", async () => {
    using context = new RehearsalContext({ root: "/nowhere/root", state: "/nowhere/state", command: [] });
    expect(await failure(explainRun(context, request({ image: "no-such-image" }), {}))).toContain("no-such-image");
    expect(await failure(explainRun(context, request({ rootfs: { path: "/nowhere/at-all", writable: false } }), {}))).toContain(`"/nowhere/at-all"`);
  });
});
