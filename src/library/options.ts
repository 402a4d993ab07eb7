import type { RunRequest } from "../engine/index.ts";
import { emptyRunRequest } from "../engine/index.ts";

/** Where the engine keeps things, and how it is told to stop. */
export interface EngineOptions {
  /** The store: images, layers, volumes, state. `/var/lib/sampan` unless SAMPAN_ROOT says otherwise. */
  readonly root?: string;
  /** Run state, gone after a reboot. `/run/sampan` unless SAMPAN_STATE says otherwise. */
  readonly state?: string;
}

/** What a caller may say of a container: any part of a `RunRequest`, with the image and what is usual by short names. */
export interface ContainerOptions extends Partial<Omit<RunRequest, "image" | "env" | "command" | "remove" | "detach" | "attach">> {
  /** A reference, or "host" for this machine's own root directory under a layer that is thrown away. */
  readonly image: string;
  readonly command?: readonly string[];
  /** Variables of the container, as a record or as "K=V". */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** Bytes. */
  readonly memoryBytes?: number;
  /** CPUs: 1.5 is one and a half. */
  readonly cpus?: number;
  readonly pidsLimit?: number;
  /** "none", "host", "container:NAME" or a network's name; the default network if it is left out. */
  readonly network?: string;
}

/** The request that these options stand for. */
export function requestOf(options: ContainerOptions): RunRequest {
  const { image, command, env, memoryBytes, cpus, pidsLimit, network, ...rest } = options;
  const request: RunRequest = {
    ...emptyRunRequest(image, [...(command ?? [])]),
    ...rest,
    image,
    command: [...(command ?? [])],
    env: env === undefined ? [] : isList(env) ? [...env] : Object.entries(env).map(([name, value]) => `${name}=${value}`),
    resources: {
      ...rest.resources,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(cpus === undefined ? {} : { nanoCpus: Math.round(cpus * 1e9) }),
      ...(pidsLimit === undefined ? {} : { pidsLimit }),
    },
  };
  if (network !== undefined) request.networks = [{ network, aliases: [] }];
  return request;
}

function isList(env: Readonly<Record<string, string>> | readonly string[]): env is readonly string[] {
  return Array.isArray(env);
}
