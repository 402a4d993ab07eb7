import { SampanError } from "../base/errors.ts";
import type { ContainerChange, ContainerDetails, ContainerStats, Engine as EngineApi, LogRecord, ProcessTable, UpdateRequest } from "../engine/index.ts";
import { checkCalls, CONTAINER, RUNNING, STARTABLE } from "./calls.ts";
import type { Cancellable } from "./cancel.ts";
import type { ExecOptions, ExecResultOptions } from "./exec.ts";
import { attachStreaming, execStreaming, execToEnd } from "./exec.ts";
import { sourceOf } from "./images.ts";
import type { ArchiveSource } from "./images.ts";
import type { ExitResult, ProgramResult } from "./result.ts";
import type { Input, ProgramStream } from "./streams.ts";

export interface LogOptions extends Cancellable {
  /** Go on until the container ends. */
  readonly follow?: boolean;
  /** Only the last n records. */
  readonly tail?: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface CopyOptions extends Cancellable {
  /** Follow the last component of the source if it is a symbolic link. */
  readonly followLink?: boolean;
  /** Keep uid and gid. */
  readonly archive?: boolean;
}

/** What every container has, whatever its state. Disposing of it removes it, running or not, with its anonymous volumes. */
export abstract class Container implements AsyncDisposable {
  static {
    checkCalls(Container.prototype, CONTAINER);
  }

  readonly id: string;
  protected readonly engine: EngineApi;

  constructor(engine: EngineApi, id: string) {
    this.engine = engine;
    this.id = id;
  }

  /** Everything about it, in the shape of `docker inspect`. */
  inspect(options: Cancellable = {}): Promise<ContainerDetails> {
    return this.engine.containers.inspect(this.id, { ...options, size: false });
  }

  /**
   * What it has written, record by record: a line each, or a piece of one.
   *
   * ```ts
   * await using container = await engine.containers.start({ image: "host", command: ["echo", "hello"], network: "none" });
   * for await (const { stream, time, data } of container.logs({ follow: true })) console.log(time, stream, new TextDecoder().decode(data));
   * ```
   */
  logs(options: LogOptions = {}): AsyncIterable<LogRecord> {
    const { sinceMs, untilMs, ...rest } = options;
    const ns = (ms: number | undefined): bigint | undefined => (ms === undefined ? undefined : BigInt(Math.round(ms * 1e3)) * 1000n);
    return this.engine.containers.logs(this.id, { ...rest, follow: options.follow ?? false, sinceNs: ns(sinceMs), untilNs: ns(untilMs) });
  }

  /** What it has added, changed and deleted in its image's files. */
  diff(options: Cancellable = {}): Promise<readonly ContainerChange[]> {
    return this.engine.containers.diff(this.id, options);
  }

  /** Copies a file or directory of this machine, or what a tar archive holds, into it; no program of the container takes part. */
  async copyIn(source: ArchiveSource, containerPath: string, options: CopyOptions = {}): Promise<void> {
    await this.engine.containers.copyTo(this.id, sourceOf(source, options.signal), containerPath, { followLink: false, archive: false, ...options });
  }

  /** Copies a file or directory out of it: to a path of this machine, or as a tar archive to whoever takes the pieces. */
  async copyOut(containerPath: string, target: string | ((piece: Uint8Array) => void | Promise<void>), options: CopyOptions = {}): Promise<void> {
    await this.engine.containers.copyFrom(this.id, containerPath, typeof target === "string" ? { path: target } : { write: target }, {
      followLink: false,
      archive: false,
      ...options,
    });
  }

  /** Its files as a tar archive. */
  export(options: Cancellable = {}): AsyncIterable<Uint8Array> {
    return this.engine.containers.export(this.id, options);
  }

  /** Makes an image of it; the new image's id. */
  async commit(
    reference: string,
    options: { readonly message?: string; readonly author?: string; readonly changes?: readonly string[] } & Cancellable = {},
  ): Promise<string> {
    const { message = "", author = "", changes = [], ...rest } = options;
    return (await this.engine.containers.commit(this.id, { reference, message, author, changes, pause: true }, rest)).id;
  }

  /** Changes limits or the restart policy, while it runs too; what could not be done quite as it was asked for. */
  async update(request: Partial<UpdateRequest>, options: Cancellable = {}): Promise<readonly string[]> {
    return (await this.engine.containers.update(this.id, { resources: {}, ...request }, options)).warnings;
  }

  rename(name: string, options: Cancellable = {}): Promise<void> {
    return this.engine.containers.rename(this.id, name, options);
  }

  /** Removes it, killing it first if it runs, with its anonymous volumes. */
  remove(options: Cancellable = {}): Promise<void> {
    return this.engine.containers.remove(this.id, { ...options, force: true, volumes: true });
  }

  /** As `remove`; one that has gone by itself is no failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.remove();
    } catch (error) {
      if (!(error instanceof SampanError) || error.kind !== "not-found") throw error;
    }
  }
}

/** A container that has ended, or has never been started: it can be. */
abstract class Startable extends Container {
  static {
    checkCalls(Startable.prototype, STARTABLE);
  }

  /** Starts it in the background. */
  async start(options: Cancellable = {}): Promise<RunningContainer> {
    await this.engine.containers.start(this.id, options);
    return new RunningContainer(this.engine, this.id);
  }
}

/** Made, never started. */
export class CreatedContainer extends Startable {
  /** Told apart from one that has ended by its type too. */
  readonly state = "created";
}

/** Ended. Its files and its log are there. */
export class StoppedContainer extends Startable {
  readonly state = "stopped";
}

/** Started in the background. It may end by itself at any time; what needs it running then rejects with "wrong-state". */
export class RunningContainer extends Container {
  static {
    checkCalls(RunningContainer.prototype, RUNNING);
  }

  readonly state = "running";

  /**
   * Runs another program in it, waits for its end. A program that fails is a result, not an error.
   *
   * ```ts
   * await using container = await engine.containers.start({ image: "host", command: ["sleep", "60"], network: "none" });
   * const { exitCode, stdout } = await container.exec(["cat", "/etc/hostname"]);
   * ```
   */
  exec(command: readonly string[], options: ExecResultOptions = {}): Promise<ProgramResult> {
    return execToEnd(this.engine, this.id, command, options);
  }

  /**
   * The same with the output as it comes.
   *
   * ```ts
   * await using container = await engine.containers.start({ image: "host", command: ["sleep", "60"], network: "none" });
   * const program = container.execStream(["sh", "-c", "echo one; sleep 0.1; echo two"]);
   * for await (const { stream, text } of program) console.log(stream, text);
   * const { exitCode } = await program.result;
   * ```
   */
  execStream(command: readonly string[], options: ExecOptions = {}): ProgramStream<ExitResult> {
    return execStreaming(this.engine, this.id, command, options);
  }

  /**
   * The output of its first process from now on, and a way to write to it if it was made with `interactive`. Leaving the loop, or
   * aborting, detaches: the container lives on.
   *
   * ```ts
   * await using container = await engine.containers.start({ image: "host", command: ["sh", "-c", "read word; echo got $word"], interactive:
   * true, network: "none" }); for await (const { text } of container.attach({ stdin: "something\n" })) console.log(text);
   * ```
   */
  attach(options: { readonly stdin?: Input } & Cancellable = {}): ProgramStream<ExitResult> {
    return attachStreaming(this.engine, this.id, options);
  }

  /** Asks it to end, and kills it after `timeoutSeconds` (its own, or 10). */
  async stop(options: { readonly timeoutSeconds?: number } & Cancellable = {}): Promise<StoppedContainer> {
    await this.engine.containers.stop(this.id, options);
    return new StoppedContainer(this.engine, this.id);
  }

  /** Stops it and starts it again. */
  async restart(options: { readonly timeoutSeconds?: number } & Cancellable = {}): Promise<RunningContainer> {
    await this.engine.containers.restart(this.id, options);
    return this;
  }

  /** Sends a signal to its first process, by name. SIGKILL is waited for. */
  kill(killSignal = "SIGKILL", options: Cancellable = {}): Promise<void> {
    return this.engine.containers.kill(this.id, { ...options, killSignal });
  }

  /** Freezes every process in it. */
  pause(options: Cancellable = {}): Promise<void> {
    return this.engine.containers.pause(this.id, options);
  }

  unpause(options: Cancellable = {}): Promise<void> {
    return this.engine.containers.unpause(this.id, options);
  }

  /** Waits for its end. */
  async wait(options: Cancellable = {}): Promise<{ readonly exitCode: number; readonly container: StoppedContainer }> {
    const exitCode = await this.engine.containers.wait(this.id, options);
    return { exitCode, container: new StoppedContainer(this.engine, this.id) };
  }

  /** Its processes, as ps(1) lists them. */
  top(psArguments: readonly string[] = [], options: Cancellable = {}): Promise<ProcessTable> {
    return this.engine.containers.top(this.id, psArguments, options);
  }

  /** What it uses, one frame a second. */
  async *stats(options: Cancellable = {}): AsyncGenerator<ContainerStats, void, undefined> {
    for await (const [frame] of this.engine.containers.stats([this.id], { ...options, all: false, stream: true })) if (frame !== undefined) yield frame;
  }
}
