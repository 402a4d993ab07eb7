import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { explainText } from "../../plan/explain-text.ts";
import { explainPlan } from "../../plan/explain.ts";
import type { Plan } from "../../plan/index.ts";
import { copyState, openState } from "../../storage/state/index.ts";
import type { StateStore } from "../../storage/state/index.ts";
import type { ExplainOptions, ExplainResult } from "../api.ts";
import { EngineContext } from "../context.ts";
import type { EngineOptions } from "../context.ts";
import { prepareNetwork, reserveNetwork } from "../network/for-start.ts";
import { findKeel } from "../executor.ts";
import { pathsOf } from "../paths.ts";
import type { Paths } from "../paths.ts";
import type { RunRequest } from "../request.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { prepare } from "./prepare.ts";
import { reserve } from "./record.ts";
import { detachKeysOf } from "./run.ts";
import { cgroupPlanOf, compileStart } from "./start.ts";
import type { Launched } from "./start.ts";

/**
 * The engine as it is, but whatever it writes goes to a directory that is thrown away: names are taken in a copy of the
 * state and addresses leased as a run would, and nothing is made. Without the rights to read the state it sees an empty one.
 */
export class RehearsalContext extends EngineContext {
  override paths: Paths;
  readonly #real: Paths;
  readonly #scratch: string;
  #copy: StateStore | undefined;

  constructor(options: EngineOptions) {
    super(options);
    const scratch = mkdtempSync(`${tmpdir()}/sampan-explain-`);
    this.#scratch = scratch;
    this.#real = pathsOf(options.root, options.state);
    this.paths = { ...this.#real, database: `${scratch}/state.db`, cache: `${scratch}/cache` };
  }

  override get store(): StateStore {
    if (this.#copy === undefined) {
      if (existsSync(this.#real.database)) copyState(this.#real.database, this.paths.database);
      this.#copy = openState(this.paths.database);
    }
    return this.#copy;
  }

  override get keel(): string {
    return findKeel(this.#scratch);
  }

  /** What asks the kernel through keel (which routes there are) does so from here. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.paths = { ...this.paths, state: this.#scratch };
    try {
      return await work();
    } finally {
      this.paths = { ...this.paths, state: this.#real.state };
    }
  }

  override [Symbol.dispose](): void {
    this.#copy?.close();
    this.#copy = undefined;
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** The plan that `run` would carry out for this request at this moment. Makes nothing, and needs no root for it. */
export async function rehearse(context: RehearsalContext, request: RunRequest): Promise<Plan> {
  return (await rehearseLaunch(context, request)).plan();
}

/** The same, with what the plan is compiled from. */
export async function rehearseLaunch(context: RehearsalContext, request: RunRequest): Promise<Launched & { readonly stored: StoredConfig }> {
  // An image that is missing is not pulled for a look.
  const { stored: wanted, volumes } = await prepare(context, { ...request, ...(request.rootfs === undefined ? { pull: "never" as const } : {}) });
  const network = await context.aside(() => prepareNetwork(context, wanted, false));
  const cgroup = cgroupPlanOf(context, wanted);
  const { stored } = reserve(context, wanted, cgroup, {
    actions: ["create"], volumes: volumes.map(({ name, target }) => ({ name, target })), within: ({ id }) => { reserveNetwork(context, network, id); },
  });
  const launched = await compileStart(context, stored, cgroup, {
    detached: request.detach, streams: request.detach ? {} : streamsOf(request), callerEnv: process.env, trace: false, network,
    detachKeys: await detachKeysOf(request.detachKeys),
  }, false);
  return { ...launched, stored };
}

function streamsOf({ attach }: RunRequest): { stdin?: number; stdout?: number; stderr?: number } {
  return {
    ...(attach.includes("stdin") ? { stdin: 0 } : {}),
    ...(attach.includes("stdout") ? { stdout: 1 } : {}),
    ...(attach.includes("stderr") ? { stderr: 2 } : {}),
  };
}

/** What `run` would do with this request, call by call, with nothing made. */
export async function explainRun(context: EngineContext, request: RunRequest, { signal }: ExplainOptions): Promise<ExplainResult> {
  signal?.throwIfAborted();
  using rehearsal = new RehearsalContext(context.options);
  const plan = await rehearse(rehearsal, request);
  return {
    text: (options) => explainText(plan, options),
    toJSON: () => ({ stages: explainPlan(plan) }),
  };
}
