import type { BootResult, DiskUsage, Engine as EngineApi, EngineEvent, Filters, HostCheck, SystemInfo } from "../engine/index.ts";
import { openEngine } from "../engine/index.ts";
import { checkCalls, ENGINE } from "./calls.ts";
import type { Cancellable } from "./cancel.ts";
import { checkEngineOptions } from "./check.ts";
import { Containers } from "./containers.ts";
import { Images } from "./images.ts";
import type { EngineOptions } from "./options.ts";
import { Networks, Registries, Volumes } from "./resources.ts";

export interface EventOptions extends Cancellable {
  /** What has happened since then first; milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** End then. */
  readonly untilMs?: number;
  /** As `sampan events --filter`: `{ type: ["container"], event: ["die"] }`. */
  readonly filters?: Filters;
}

/**
 * The engine in a program of yours: what `sampan` does, typed. Keep one open for as long as you start containers: an open one
 * starts the next container faster.
 *
 * ```ts
 * await using engine = await Engine.open();
 * const { stdout } = await engine.containers.run({ image: "host", command: ["echo", "hello"], network: "none" });
 * ```
 */
export class Engine implements AsyncDisposable {
  static {
    checkCalls(Engine.prototype, ENGINE);
  }

  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly registries: Registries;
  /** What the command line is made of: every use case, with nothing left out and nothing made convenient. */
  readonly api: EngineApi;

  private constructor(api: EngineApi) {
    this.api = api;
    this.containers = new Containers(api);
    this.images = new Images(api);
    this.networks = new Networks(api);
    this.volumes = new Volumes(api);
    this.registries = new Registries(api);
  }

  /** Opens the engine. Nothing is read or made before the first use. Needs root for all that runs. */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    checkEngineOptions(options);
    const root = options.root ?? nonEmpty(process.env["SAMPAN_ROOT"]) ?? "/var/lib/sampan";
    const state = options.state ?? nonEmpty(process.env["SAMPAN_STATE"]) ?? "/run/sampan";
    return new Engine(await openEngine({ root: absolute(root), state: absolute(state) }));
  }

  /**
   * What happens, as it happens, until the signal aborts or the loop is left.
   *
   * ```ts no-run
   * for await (const { Type, Action, Actor } of engine.events({ filters: { type: ["container"] } })) console.log(Type, Action, Actor.ID);
   * ```
   */
  events(options: EventOptions = {}): AsyncIterable<EngineEvent> {
    return this.api.system.events(options);
  }

  info(options: Cancellable = {}): Promise<SystemInfo> {
    return this.api.system.info(options);
  }

  /** What this machine's kernel has and lacks for containers. */
  checkHost(options: Cancellable = {}): Promise<readonly HostCheck[]> {
    return this.api.system.checkHost(options);
  }

  /** What images, containers and volumes take on the disk. */
  diskUsage(options: Cancellable = {}): Promise<DiskUsage> {
    return this.api.system.diskUsage(options);
  }

  /** Removes what crashes have left and nothing accounts for any more. */
  collect(options: Cancellable = {}): Promise<{ readonly reclaimedBytes: number }> {
    return this.api.system.collect(options);
  }

  /** Starts what its restart policy says should run, after this machine has started. */
  boot(options: Cancellable = {}): Promise<BootResult> {
    return this.api.system.boot(options);
  }

  /** Closes the store. Containers go on, and calls that are under way come to their end; later ones are refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
}
