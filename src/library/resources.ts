import type { Engine as EngineApi, Filters, NetworkDetails, NetworkRequest, PruneResult, SearchResult, VolumeDetails } from "../engine/index.ts";
import { checkCalls, NETWORKS, REGISTRIES, VOLUMES } from "./calls.ts";
import type { Cancellable } from "./cancel.ts";

/** Networks of one engine. */
export class Networks {
  static {
    checkCalls(Networks.prototype, NETWORKS);
  }

  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /** Makes a bridge network; its id. Containers on it find each other by name. */
  async create(name: string, options: Partial<Omit<NetworkRequest, "name">> & Cancellable = {}): Promise<string> {
    const { signal, ...rest } = options;
    const request = { name, driver: "bridge", internal: false, ipv6: false, attachable: false, subnets: [], options: {}, labels: {}, ...rest };
    return (await this.#engine.networks.create(request, { signal })).id;
  }

  list(options: { readonly filters?: Filters } & Cancellable = {}): Promise<readonly NetworkDetails[]> {
    return this.#engine.networks.list(options);
  }

  inspect(name: string, options: Cancellable = {}): Promise<NetworkDetails> {
    return this.#engine.networks.inspect(name, options);
  }

  remove(name: string, options: Cancellable = {}): Promise<void> {
    return this.#engine.networks.remove(name, options);
  }

  connect(network: string, container: string, options: { readonly aliases?: readonly string[]; readonly ipv4?: string } & Cancellable = {}): Promise<void> {
    const { signal, aliases = [], ipv4 } = options;
    return this.#engine.networks.connect(container, { network, aliases: [...aliases], ...(ipv4 === undefined ? {} : { ipv4 }) }, { signal });
  }

  disconnect(network: string, container: string, options: { readonly force?: boolean } & Cancellable = {}): Promise<void> {
    return this.#engine.networks.disconnect(container, network, { ...options, force: options.force ?? false });
  }

  /** Removes all that nobody uses. */
  prune(options: { readonly filters?: Filters } & Cancellable = {}): Promise<PruneResult> {
    return this.#engine.networks.prune(options);
  }

  /** Writes the packet filter's rules anew, where somebody has flushed them. */
  async reload(options: Cancellable = {}): Promise<void> {
    await this.#engine.networks.reload(options);
  }
}

/** Volumes of one engine. */
export class Volumes {
  static {
    checkCalls(Volumes.prototype, VOLUMES);
  }

  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /** Makes a volume, or gives back the one of that name; without a name an anonymous one. */
  create(name = "", options: {
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  } & Cancellable = {}): Promise<VolumeDetails> {
    const { signal, driver = "local", options: driverOptions = {}, labels = {} } = options;
    return this.#engine.volumes.create({ name, driver, options: driverOptions, labels }, { signal });
  }

  list(options: { readonly filters?: Filters } & Cancellable = {}): Promise<readonly VolumeDetails[]> {
    return this.#engine.volumes.list(options);
  }

  inspect(name: string, options: Cancellable = {}): Promise<VolumeDetails> {
    return this.#engine.volumes.inspect(name, options);
  }

  remove(name: string, options: { readonly force?: boolean } & Cancellable = {}): Promise<void> {
    return this.#engine.volumes.remove(name, { ...options, force: options.force ?? false });
  }

  /** Removes anonymous ones that nobody uses, or with `all` every unused one. */
  prune(options: { readonly all?: boolean; readonly filters?: Filters } & Cancellable = {}): Promise<PruneResult> {
    return this.#engine.volumes.prune({ ...options, all: options.all ?? false });
  }
}

/** Registries: who one is there, and what they have. `images.pull` and `images.push` use the credentials that are stored here. */
export class Registries {
  static {
    checkCalls(Registries.prototype, REGISTRIES);
  }

  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /** Proves the credentials to the registry, then stores them where Docker's tools look too. What the registry said. */
  async login(server: string, credentials: { readonly username: string; readonly password: string }, options: Cancellable = {}): Promise<string> {
    return (await this.#engine.registries.login({ server, ...credentials }, options)).message;
  }

  /** Forgets them. */
  logout(server: string, options: Cancellable = {}): Promise<string> {
    return this.#engine.registries.logout(server, options);
  }

  search(term: string, options: { readonly limit?: number; readonly filters?: Filters } & Cancellable = {}): Promise<readonly SearchResult[]> {
    return this.#engine.registries.search(term, options);
  }
}
