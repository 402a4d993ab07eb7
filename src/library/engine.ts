import type { Engine as EngineInterface, EngineEvent, Images, Networks, Registries, System, Volumes } from "../engine/index.ts";
import { openEngine } from "../engine/index.ts";
import { Containers } from "./containers.ts";
import type { EngineOptions } from "./options.ts";

/**
 * The engine in a program of yours: what `sampan` does, typed.
 *
 * ```ts
 * await using engine = await Engine.open();
 * const { stdout } = await engine.containers.run({ image: "host", command: ["echo", "hello"], network: "none" });
 * ```
 */
export class Engine implements AsyncDisposable {
  readonly containers: Containers;
  readonly #engine: EngineInterface;

  private constructor(engine: EngineInterface, state: string) {
    this.#engine = engine;
    this.containers = new Containers(engine, state);
  }

  /** Opens the engine. Nothing is read or made before the first use. Needs root. */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    const root = options.root ?? process.env["SAMPAN_ROOT"] ?? "/var/lib/sampan";
    const state = options.state ?? process.env["SAMPAN_STATE"] ?? "/run/sampan";
    return new Engine(await openEngine({ root, state }), state);
  }

  get images(): Images {
    return this.#engine.images;
  }

  get networks(): Networks {
    return this.#engine.networks;
  }

  get volumes(): Volumes {
    return this.#engine.volumes;
  }

  get registries(): Registries {
    return this.#engine.registries;
  }

  get system(): System {
    return this.#engine.system;
  }

  /** What happens from now on, until the signal aborts. */
  events(options: { readonly signal?: AbortSignal; readonly sinceMs?: number } = {}): AsyncIterable<EngineEvent> {
    return this.#engine.system.events(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
  }
}
