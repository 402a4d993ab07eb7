import type { ContainerDetails, ContainerStats, ContainerSummary, Engine as EngineInterface, ExecRequest, LogRecord, PruneResult } from "../engine/index.ts";
import { SampanError } from "../base/errors.ts";
import { Capture } from "./capture.ts";
import type { ContainerOptions } from "./options.ts";
import { requestOf } from "./options.ts";
import type { ProgramResult, RunResult } from "./result.ts";
import { signalName } from "./result.ts";

export interface Cancellable {
  /** Aborting rejects with kind "cancelled" and leaves nothing half-made. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends ContainerOptions, Cancellable {
  /** What the program reads; nothing if it is left out. */
  readonly stdin?: string | Uint8Array;
  /** Kill it after so long; the result is rejected with kind "cancelled" and code "ETIMEDOUT". */
  readonly timeoutMs?: number;
  /** Leave the ended container there, to be looked at. */
  readonly keep?: boolean;
}

export interface ExecOptions extends Cancellable, Partial<Pick<ExecRequest, "privileged" | "user" | "workdir">> {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
}

export interface LogOptions extends Cancellable {
  readonly follow?: boolean;
  /** Only the last n lines. */
  readonly tail?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Containers of one engine. Wherever a name is taken, an id or a unique prefix of one will do. */
export class Containers {
  readonly #engine: EngineInterface;
  readonly #state: string;

  constructor(engine: EngineInterface, state: string) {
    this.#engine = engine;
    this.#state = state;
  }

  /**
   * Runs a program in a new container, waits for its end, removes the container. A program that fails is a result, not an error:
   * look at `exitCode`. Rejects with a SampanError where the container could not be made or started.
   */
  async run(options: RunOptions): Promise<RunResult> {
    const { signal, stdin, timeoutMs, keep, ...container } = options;
    using capture = new Capture(this.#state);
    const stdout = capture.output();
    const stderr = capture.output();
    const request = { ...requestOf(container), remove: keep !== true, interactive: stdin !== undefined, attach: ["stdout" as const, "stderr" as const, ...(stdin === undefined ? [] : ["stdin" as const])] };
    const started = performance.now();
    const limit = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const signals = [signal, limit].filter((each): each is AbortSignal => each !== undefined);
    try {
      const result = await this.#engine.containers.run(request, {
        streams: { stdout, stderr, ...(stdin === undefined ? {} : { stdin: capture.input(stdin) }) },
        ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      });
      return {
        ...programResult(result.exitCode, result.signal ?? 0, capture.read(stdout), capture.read(stderr)),
        id: result.id, oomKilled: result.oomKilled ?? false, durationMs: performance.now() - started, warnings: result.warnings,
      };
    } catch (error) {
      if (limit?.aborted === true && error instanceof SampanError && error.kind === "cancelled")
        throw new SampanError("cancelled", `Cannot finish "${(options.command ?? []).join(" ")}" in image "${options.image}": it took longer than ${timeoutMs ?? 0} ms and was killed`, { code: "ETIMEDOUT", cause: error });
      throw error;
    }
  }

  /** Makes a container without starting it. */
  async create(options: ContainerOptions & Cancellable): Promise<CreatedContainer> {
    const { signal, ...container } = options;
    const { id } = await this.#engine.containers.create(requestOf(container), signal === undefined ? {} : { signal });
    return new CreatedContainer(this.#engine, this.#state, id);
  }

  /** Makes a container and starts it in the background. */
  async start(options: ContainerOptions & Cancellable): Promise<RunningContainer> {
    const { signal, ...container } = options;
    const { id } = await this.#engine.containers.run({ ...requestOf(container), detach: true }, { streams: {}, ...(signal === undefined ? {} : { signal }) });
    return new RunningContainer(this.#engine, this.#state, id);
  }

  /** A running container by its name. Rejects with "wrong-state" if it does not run. */
  async running(name: string): Promise<RunningContainer> {
    const details = await this.inspect(name);
    if (!details.State.Running) throw new SampanError("wrong-state", `Container ${name} is not running`);
    return new RunningContainer(this.#engine, this.#state, details.Id);
  }

  list(options: { readonly all?: boolean } & Cancellable = {}): Promise<readonly ContainerSummary[]> {
    return this.#engine.containers.list({ ...options, all: options.all ?? false });
  }

  inspect(name: string, options: Cancellable = {}): Promise<ContainerDetails> {
    return this.#engine.containers.inspect(name, { ...options, size: false });
  }

  remove(name: string, options: { readonly force?: boolean; readonly volumes?: boolean } & Cancellable = {}): Promise<void> {
    return this.#engine.containers.remove(name, { ...options, force: options.force ?? false, volumes: options.volumes ?? false });
  }

  prune(options: Cancellable = {}): Promise<PruneResult> {
    return this.#engine.containers.prune(options);
  }

  /** One frame a second with every container named, or with all that run. */
  stats(names: readonly string[] = [], options: Cancellable = {}): AsyncIterable<readonly ContainerStats[]> {
    return this.#engine.containers.stats(names, { ...options, all: false, stream: true });
  }
}

/** What every container has, whatever its state. Disposing of it removes it, running or not, with its anonymous volumes. */
abstract class Container implements AsyncDisposable {
  readonly id: string;
  protected readonly engine: EngineInterface;
  protected readonly state: string;

  constructor(engine: EngineInterface, state: string, id: string) {
    this.engine = engine;
    this.state = state;
    this.id = id;
  }

  inspect(options: Cancellable = {}): Promise<ContainerDetails> {
    return this.engine.containers.inspect(this.id, { ...options, size: false });
  }

  /** What it has written, record by record: a line each, or a piece of one. */
  logs(options: LogOptions = {}): AsyncIterable<LogRecord> {
    return this.engine.containers.logs(this.id, { ...options, follow: options.follow ?? false });
  }

  async remove(options: Cancellable = {}): Promise<void> {
    await this.engine.containers.remove(this.id, { ...options, force: true, volumes: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.remove();
    } catch (error) {
      if (!(error instanceof SampanError) || error.kind !== "not-found") throw error;
    }
  }
}

/** Made, never started. */
export class CreatedContainer extends Container {
  async start(options: Cancellable = {}): Promise<RunningContainer> {
    await this.engine.containers.start(this.id, options);
    return new RunningContainer(this.engine, this.state, this.id);
  }
}

/** Started in the background. It may end by itself at any time; what needs it running then rejects with "wrong-state". */
export class RunningContainer extends Container {
  /** Runs another program in it, waits for its end. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ProgramResult> {
    using capture = new Capture(this.state);
    const stdout = capture.output();
    const stderr = capture.output();
    const { signal, stdin, env, ...rest } = options;
    const result = await this.engine.containers.exec(
      this.id,
      { command, tty: false, interactive: stdin !== undefined, detach: false, privileged: rest.privileged ?? false, env: Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`), user: rest.user, workdir: rest.workdir },
      { streams: { stdout, stderr, ...(stdin === undefined ? {} : { stdin: capture.input(stdin) }) }, ...(signal === undefined ? {} : { signal }) },
    );
    return programResult(result.exitCode, result.exitCode > 128 ? result.exitCode - 128 : 0, capture.read(stdout), capture.read(stderr));
  }

  /** Asks it to end, and kills it after `timeoutSeconds` (its own, or 10). */
  async stop(options: { readonly timeoutSeconds?: number } & Cancellable = {}): Promise<StoppedContainer> {
    await this.engine.containers.stop(this.id, options);
    return new StoppedContainer(this.engine, this.state, this.id);
  }

  async kill(signal = "SIGKILL", options: Cancellable = {}): Promise<void> {
    await this.engine.containers.kill(this.id, { ...options, killSignal: signal });
  }

  async pause(options: Cancellable = {}): Promise<void> {
    await this.engine.containers.pause(this.id, options);
  }

  async unpause(options: Cancellable = {}): Promise<void> {
    await this.engine.containers.unpause(this.id, options);
  }

  /** Waits for its end. */
  async wait(options: Cancellable = {}): Promise<{ readonly exitCode: number; readonly container: StoppedContainer }> {
    const exitCode = await this.engine.containers.wait(this.id, options);
    return { exitCode, container: new StoppedContainer(this.engine, this.state, this.id) };
  }

  /** One frame a second. */
  async *stats(options: Cancellable = {}): AsyncGenerator<ContainerStats> {
    for await (const [frame] of this.engine.containers.stats([this.id], { ...options, all: false, stream: true })) if (frame) yield frame;
  }
}

/** Ended. Its files and its log are there. */
export class StoppedContainer extends Container {
  async start(options: Cancellable = {}): Promise<RunningContainer> {
    await this.engine.containers.start(this.id, options);
    return new RunningContainer(this.engine, this.state, this.id);
  }
}

function programResult(exitCode: number, signal: number, stdoutBytes: Buffer, stderrBytes: Buffer): ProgramResult {
  return { exitCode, signal: signalName(signal), stdout: stdoutBytes.toString("utf8"), stderr: stderrBytes.toString("utf8"), stdoutBytes, stderrBytes };
}
