import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodedPlan } from "../../plan/index.ts";
import type { Plan } from "../../plan/index.ts";
import { fillTemplate, templateOf } from "../../plan/template.ts";
import type { Launch } from "../../runtime/index.ts";
import { compile } from "../../runtime/index.ts";
import { describeLaunch, keptPlan } from "../../runtime/kept-plans.ts";
import { emptyRunRequest } from "../request.ts";
import type { RunRequest } from "../request.ts";
import { RehearsalContext, rehearseLaunch } from "./explain.ts";

const OPTIONS = { root: "/var/lib/sampan", state: "/run/sampan", command: ["/usr/bin/sampan"] };
const none = { remove: true, networks: [{ network: "none", aliases: [] }] };
const requests: Readonly<Record<string, Partial<RunRequest>>> = {
  "a program": {},
  "in the background": { detach: true, remove: false },
  "a terminal": { tty: true, interactive: true, attach: ["stdin", "stdout", "stderr"] },
  "a name of the host": { hostname: "box" },
  "privileged, with init": { privileged: true, init: true },
  "limits": { resources: { ...emptyRunRequest("host", []).resources, memoryBytes: 64_000_000 } },
  "no filter": { securityOpt: ["seccomp=unconfined"] },
};

const rehearsed = async (change: Partial<RunRequest>): Promise<{ launch: Launch; id: string }> => {
  using context = new RehearsalContext(OPTIONS);
  const { launch, stored } = await rehearseLaunch(context, { ...emptyRunRequest("host", ["true"]), ...none, ...change });
  return { launch, id: stored.id };
};

/** With rtnetlink messages, as a container on a bridge has; `address` is what differs. */
const onBridge = (launch: Launch, address: number): Launch => {
  const batch = (first: number): Uint8Array => Uint8Array.from({ length: 200 }, (_, i) => (i % 50 === 7 ? address : first + (i % 90)));
  return {
    ...launch,
    network: {
      outer: { bytes: batch(1), patches: [{ offset: 20, what: "pid" }], messages: [{ label: `make ${address}` }] },
      inner: { bytes: batch(101), patches: [], messages: [{ label: "up" }, { label: `add ${address}` }] },
    },
  };
};

describe("a kept plan, filled in for another container, is the one that would be compiled", () => {
  for (const [name, change] of Object.entries(requests))
    for (const where of ["no network", "a bridge"])
      test(`${name}, ${where}`, async () => {
        const [first, second] = [await rehearsed(change), await rehearsed(change)];
        const launches = where === "a bridge" ? [onBridge(first.launch, 3), onBridge(second.launch, 4)] as const : [first.launch, second.launch] as const;
        const [one, two] = [describeLaunch(launches[0], first.id), describeLaunch(launches[1], second.id)];
        if (one === undefined || two === undefined) throw new Error("not described");
        expect(first.id).not.toBe(second.id);
        expect(two.key).toBe(one.key);
        const wanted = encodedPlan(compile(launches[1]));
        const template = templateOf(encodedPlan(compile(launches[0])), one.variables);
        if (template === undefined) throw new Error("no template");
        expect(template.bytes.equals(wanted.bytes)).toBe(false);
        expect(fillTemplate(template, two.variables)).toEqual(wanted);
      });
});

test("what makes a different plan makes a different key", async () => {
  const keys = new Set<string>();
  const different: Partial<RunRequest>[] = [
    ...Object.values(requests), { command: ["true", "x"] }, { env: ["A=b"] }, { capDrop: ["CHOWN"] }, { readonlyRootfs: true },
    { workdir: "/tmp" }, { user: "1" }, { stopSignal: "9" }, { shmSizeBytes: 4096 },
  ];
  for (const change of different) {
    const { launch, id } = await rehearsed(change);
    const bytes = encodedPlan(compile(launch)).bytes.toString("latin1").replaceAll(id, "").replaceAll(id.slice(0, 12), "");
    keys.add(`${describeLaunch(launch, id)?.key ?? ""}`);
    keys.add(bytes);
  }
  const { launch, id } = await rehearsed({});
  for (const change of [
    { noPivot: true },
    { seccomp: { flags: 1, program: new Uint8Array(8) } },
    { seccomp: { flags: 1, program: new Uint8Array(8).fill(1) } },
  ]) {
    keys.add(describeLaunch({ ...launch, ...change }, id)?.key ?? "");
  }
  // The stop signal is no part of the plan.
  expect(keys.size).toBe(2 * (different.length - 1) + 3);
});

test("a place that must be there once and is not makes no template", () => {
  const plan = { bytes: Buffer.from("abcabc"), count: 1 };
  expect(templateOf(plan, [{ bytes: Buffer.from("abc"), repeats: false }])).toBeUndefined();
  expect(templateOf(plan, [{ bytes: Buffer.from("x"), repeats: false }])).toBeUndefined();
  expect(templateOf(plan, [{ bytes: Buffer.from("abc"), repeats: true }])?.places).toEqual([[0, 3]]);
});

test("kept on the disk by an executable: found again, and compiled anew where the file is damaged or of another build", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sampan-kept-"));
  try {
    using context = new RehearsalContext(OPTIONS);
    const { launch, stored } = await rehearseLaunch(context, { ...emptyRunRequest("host", ["true"]), ...none });
    let compilations = 0;
    const compiled = (): Promise<Plan> => {
      compilations++;
      return Promise.resolve(compile(launch));
    };
    const wanted = encodedPlan(compile(launch));
    const ask = async (build: string): Promise<number> => {
      const before = compilations;
      const { bytes, count } = await keptPlan({ directory: join(directory, "plans"), identity: build }, describeLaunch(launch, stored.id), compiled);
      expect(bytes.equals(wanted.bytes) && count === wanted.count).toBe(true);
      return compilations - before;
    };
    expect(await ask("one")).toBe(1);
    expect(await ask("one")).toBe(0);
    expect(await ask("two")).toBe(1);
    expect(await ask("two")).toBe(0);
    const files = readdirSync(join(directory, "plans")).map((name) => join(directory, "plans", name));
    for (const file of files) truncateSync(file, 40);
    expect(await ask("two")).toBe(1);
    for (const file of files) writeFileSync(file, "");
    expect(await ask("two")).toBe(1);
    expect(await ask("two")).toBe(0);
    const library = async (): Promise<boolean> => (await keptPlan(context.plans, describeLaunch(launch, stored.id), compiled)).bytes.equals(wanted.bytes);
    const before = compilations;
    expect([await library(), await library()]).toEqual([true, true]);
    expect(compilations - before).toBe(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
