/**
 * Worker of failure-injection.test.ts: starts a container once for every call of its plan, with that call failing, and
 * says as JSON what happened and what was left; or, with the mode "whole", runs one undisturbed. argv: ROOT STATE MODE PART
 * PARTS. Run by `onOwnMachine`.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { removeContainer } from "../../src/engine/containers/remove.ts";
import { runSession } from "../../src/engine/containers/run.ts";
import { EngineContext } from "../../src/engine/context.ts";
import { engineCommand } from "../../src/engine/executor.ts";
import type { RunRequest } from "../../src/engine/request.ts";
import { emptyRunRequest } from "../../src/engine/request.ts";
import { Errno } from "../../src/linux/errno.ts";
import { traceOf } from "../../src/plan/trace.ts";
import { explainPlan } from "../../src/plan/explain.ts";
import type { Call, Plan } from "../../src/plan/index.ts";
import { SampanError } from "../../src/base/errors.ts";

export interface FailingStart {
  readonly index: number;
  readonly text: string;
  readonly stage: string;
  /** It is reached in a start in which nothing fails. */
  readonly reached: boolean;
  /** What the engine said; undefined if the container ran. */
  readonly message: string | undefined;
  /** What is there that was not before. */
  readonly left: readonly string[];
}

export interface FailingStarts {
  readonly count: number;
  readonly starts: readonly FailingStart[];
}

/** Names beneath a directory, but for the database and what is kept to start faster. */
function filesBeneath(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => !/^(state\.db|cache|keel-|lock|containers$|trash$)/.test(name)).map((name) => `file ${path}/${name}`);
}

function cgroups(context: EngineContext): string[] {
  return context.cgroups.hierarchies.flatMap(({ mountpoint }) => {
    const parent = `${mountpoint}/sampan`;
    return existsSync(parent) ? readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => `cgroup ${parent}/${name}`) : [];
  });
}

/** Processes that have something of ours mapped or open: keel's report is, in all of its processes. */
function processes(state: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/maps`, "utf8").includes(state) ? [`process ${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`] : [];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function snapshot(context: EngineContext, ids: ReadonlySet<string>): string[] {
  const { store, paths } = context;
  return [
    ...readFileSync("/proc/self/mountinfo", "utf8").split("\n").map((line) => `mount ${line}`),
    ...readFileSync("/proc/net/dev", "utf8").split("\n").slice(2).map((line) => `link ${line.split(":")[0]?.trim() ?? ""}`),
    // Others start containers at the same time: only groups of ours count.
    ...cgroups(context).filter((group) => [...ids].some((id) => group.includes(id))),
    ...processes(paths.state),
    ...filesBeneath(paths.root), ...filesBeneath(paths.state),
    ...store.containers.list().map(({ id, status }) => `row ${id} ${status}`),
    ...[...ids].flatMap((id) => store.resources.list(id as never).map(({ kind, key }) => `resource ${kind} ${key}`)), // ids come from the plans
    ...[...ids].flatMap((id) => store.endpoints.ofContainer(id as never).map(({ ipv4 }) => `endpoint ${ipv4 ?? ""}`)), // likewise
  ];
}

/** Puts a failing instruction in the place of one, so that all others keep their positions. */
function failAt(plan: Plan, index: number): void {
  const outer = plan.outer.calls.length;
  const line = index < outer ? plan.outer : plan.inner;
  const at = index < outer ? index : index - outer;
  const call = line.calls[at];
  if (call === undefined) throw new Error(`the plan has no call ${index}`);
  const failing: Call = { side: call.side, index: at, stage: call.stage, op: "fail", name: "fail", args: [Errno.EIO], options: { what: call.options.what ?? call.name, ...(call.options.when === undefined ? {} : { when: call.options.when }) } };
  line.calls[at] = failing;
}

const idOf = (plan: Plan): string | undefined => {
  for (const call of [...plan.outer.calls, ...plan.inner.calls])
    for (const arg of call.args) {
      const id = typeof arg === "string" ? /[0-9a-f]{64}/.exec(arg)?.[0] : undefined;
      if (id !== undefined) return id;
    }
  return undefined;
};

const requests: Record<string, () => RunRequest> = {
  default: () => ({ ...emptyRunRequest("host", ["true"]), remove: true }),
  detached: () => ({ ...emptyRunRequest("host", ["true"]), remove: true, detach: true }),
};

export interface WholeRun {
  readonly before: string;
  readonly during: string;
  readonly after: string;
  /** Kinds of things that are there while a container runs: what the comparison is able to see. */
  readonly seen: readonly string[];
}

/** A container that runs for a while, with the mount table of its host at three moments. */
async function wholeRun(context: EngineContext): Promise<WholeRun> {
  const mounts = (): string => readFileSync("/proc/self/mountinfo", "utf8");
  const before = mounts();
  const { id } = await runSession(context, { ...emptyRunRequest("host", ["sleep", "60"]), detach: true }, { streams: {} }, {});
  const during = mounts();
  const seen = [...new Set(snapshot(context, new Set([id])).map((line) => line.split(" ")[0] ?? ""))];
  await removeContainer(context, id, { force: true, volumes: true });
  return { before, during, after: mounts(), seen };
}

async function failingStarts(context: EngineContext, mode: string, part: string, parts: string): Promise<FailingStarts> {
  const request = (): RunRequest => (requests[mode] ?? requests["default"] ?? emptyRunRequest)("host");
  const streams = { streams: {} };
  const { started } = await runSession(context, request(), streams, { trace: true });
  const { report } = await started.running.finished;
  const plan = await started.plan();
  const reached = traceOf(plan, report).stages.flatMap(({ calls }) => calls).map(({ state: done }) => done !== "skipped");
  const texts = explainPlan(plan).flatMap(({ calls }) => calls);
  const ids = new Set<string>();
  const settle = async (): Promise<string[]> => {
    const before = new Set(baseline);
    for (let left = snapshot(context, ids), tries = 0; ; left = snapshot(context, ids), tries++) {
      const more = left.filter((line) => !before.has(line));
      if (more.length === 0 || tries === 40) return more;
      await new Promise((resolve) => setTimeout(resolve, 25)); // the kernel ends namespaces, and a finisher works, on their own time
    }
  };
  let baseline: string[] = [];
  await settle();
  baseline = snapshot(context, ids);
  const starts: FailingStart[] = [];
  for (let index = Number(part); index < reached.length; index += Number(parts)) {
    let message: string | undefined;
    try {
      await runSession(context, request(), streams, {
        alter(plan) {
          if (plan.outer.calls.length + plan.inner.calls.length !== reached.length) throw new Error("the plan is not the same each time");
          const id = idOf(plan);
          if (id !== undefined) ids.add(id);
          failAt(plan, index);
        },
      });
    } catch (error) {
      message = error instanceof SampanError ? error.message : `no error of ours: ${String(error)}`;
    }
    starts.push({ index, text: texts[index]?.text ?? "", stage: texts[index]?.stage ?? "", reached: reached[index] === true, message, left: await settle() });
  }
  return { count: reached.length, starts };
}

const [root = "", state = "", mode = "", part = "0", parts = "1"] = process.argv.slice(2);
using context = new EngineContext({ root, state, command: engineCommand() });
console.log(JSON.stringify(mode === "whole" ? await wholeRun(context) : await failingStarts(context, mode, part, parts)));
