import { SampanError } from "../base/errors.ts";
import type {
  ContainerDetails, ContainerStats, ContainerSummary, Engine as EngineApi, ExplainResult, Filters, PruneResult, TraceResult, UpdateRequest,
} from "../engine/index.ts";
import { checkCalls, CONTAINERS } from "./calls.ts";
import type { Cancellable } from "./cancel.ts";
import { checkRunOptions } from "./check.ts";
import { CreatedContainer, RunningContainer, StoppedContainer } from "./container.ts";
import type { ContainerOptions } from "./options.ts";
import { requestOf } from "./options.ts";
import type { RunResult, StreamResult } from "./result.ts";
import { runMany, runStreaming, runToEnd } from "./run.ts";
import type { BulkOptions, RunOptions, StreamOptions } from "./run.ts";
import type { ProgramStream } from "./streams.ts";

/** Containers of one engine. Wherever a name is taken, an id or a unique prefix of one will do. */
export class Containers {
  static {
    checkCalls(Containers.prototype, CONTAINERS);
  }

  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /**
   * Runs a program in a new container, waits for its end, removes the container. A program that fails is a result, not an error:
   * look at `exitCode`. Rejects with a SampanError where the container could not be made or started; aborting kills and removes it.
   *
   * ```ts
   * const { exitCode, stdout } = await engine.containers.run({
   *   image: "host", command: ["tr", "a-z", "A-Z"], stdin: "hello", network: "none", memoryBytes: 64 << 20, timeoutMs: 5000,
   * });
   * ```
   */
  run(options: RunOptions): Promise<RunResult> {
    return runToEnd(this.#engine, options);
  }

  /**
   * The same with the output as it comes. Leaving the loop kills the program.
   *
   * ```ts
   * const program = engine.containers.stream({ image: "host", command: ["sh", "-c", "echo one; sleep 0.1; echo two >&2"], network: "none" });
   * for await (const { stream, text } of program) console.log(stream, text);
   * const { exitCode } = await program.result;
   * ```
   */
  stream(options: StreamOptions): ProgramStream<StreamResult> {
    return runStreaming(this.#engine, options);
  }

  /**
   * Runs many, `concurrency` of them at a time; results in the order of the jobs. If one could not be run at all, the others are
   * killed and removed, and it rejects.
   *
   * ```ts
   * const jobs = ["one", "two", "three"].map((word) => ({ image: "host", command: ["echo", word], network: "none" }));
   * const results = await engine.containers.runAll(jobs, { concurrency: 2 });
   * ```
   */
  runAll(jobs: Iterable<RunOptions>, options: BulkOptions = {}): Promise<RunResult[]> {
    return runMany(this.#engine, jobs, options);
  }

  /**
   * Every system call that such a container would be made of, with nothing made; needs no root.
   *
   * ```ts
   * const plan = await engine.containers.explain({ image: "host", command: ["true"], network: "none" });
   * console.log(plan.text({ columns: 120 }));
   * ```
   */
  async explain(options: ContainerOptions & Cancellable): Promise<ExplainResult> {
    checkRunOptions(options);
    const { signal, ...container } = options;
    return this.#engine.containers.explain({ ...requestOf(container), remove: true }, { signal });
  }

  /** Runs it, its output left unread, and tells how long each of those calls took. */
  async trace(options: ContainerOptions & Cancellable): Promise<TraceResult> {
    checkRunOptions(options);
    const { signal, ...container } = options;
    return this.#engine.containers.trace({ ...requestOf(container), remove: true }, { streams: {}, signal });
  }

  /** Makes a container without starting it. */
  async create(options: ContainerOptions & Cancellable): Promise<CreatedContainer> {
    checkRunOptions(options);
    const { signal, ...container } = options;
    const { id } = await this.#engine.containers.create(requestOf(container), { signal });
    return new CreatedContainer(this.#engine, id);
  }

  /**
   * Makes a container and starts it in the background.
   *
   * ```ts
   * await using container = await engine.containers.start({ image: "host", command: ["sleep", "60"], network: "none" });
   * console.log((await container.inspect()).State.Pid);
   * ```
   */
  async start(options: ContainerOptions & Cancellable): Promise<RunningContainer> {
    checkRunOptions(options);
    const { signal, ...container } = options;
    const { id } = await this.#engine.containers.run({ ...requestOf(container), detach: true }, { streams: {}, signal });
    return new RunningContainer(this.#engine, id);
  }

  /** A container by its name, as what it is at this moment: its class says what can be done with it. */
  async get(name: string, options: Cancellable = {}): Promise<CreatedContainer | RunningContainer | StoppedContainer> {
    const { Id, State } = await this.inspect(name, options);
    if (State.Running) return new RunningContainer(this.#engine, Id);
    return State.Status === "created" ? new CreatedContainer(this.#engine, Id) : new StoppedContainer(this.#engine, Id);
  }

  /** A running container by its name. Rejects with "wrong-state" if it does not run. */
  async running(name: string, options: Cancellable = {}): Promise<RunningContainer> {
    const container = await this.get(name, options);
    if (container instanceof RunningContainer) return container;
    throw new SampanError("wrong-state", `Container ${name} is not running`, { hint: `Start it first: sampan start ${name}` });
  }

  /** Those that run; with `all` the others too. */
  list(
    options: { readonly all?: boolean; readonly last?: number; readonly size?: boolean; readonly filters?: Filters } & Cancellable = {},
  ): Promise<readonly ContainerSummary[]> {
    return this.#engine.containers.list({ ...options, all: options.all ?? false });
  }

  /** Everything about one, in the shape of `docker inspect`; with `size` what its files take too. */
  inspect(name: string, options: { readonly size?: boolean } & Cancellable = {}): Promise<ContainerDetails> {
    return this.#engine.containers.inspect(name, { size: false, ...options });
  }

  /** Changes limits or the restart policy while it runs. */
  async update(name: string, request: Partial<UpdateRequest>, options: Cancellable = {}): Promise<readonly string[]> {
    return (await this.#engine.containers.update(name, { resources: {}, ...request }, options)).warnings;
  }

  remove(name: string, options: { readonly force?: boolean; readonly volumes?: boolean } & Cancellable = {}): Promise<void> {
    return this.#engine.containers.remove(name, { ...options, force: options.force ?? false, volumes: options.volumes ?? false });
  }

  /** Removes all that do not run. */
  prune(options: { readonly filters?: Filters } & Cancellable = {}): Promise<PruneResult> {
    return this.#engine.containers.prune(options);
  }

  /** One frame a second with every container named, or with all that run. */
  stats(names: readonly string[] = [], options: Cancellable = {}): AsyncIterable<readonly ContainerStats[]> {
    return this.#engine.containers.stats(names, { ...options, all: false, stream: true });
  }
}
