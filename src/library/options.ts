import { emptyRunRequest } from "../engine/index.ts";
import type { MountRequest, NetworkAttachment, PortRequest, RunRequest } from "../engine/index.ts";

/** Where the engine keeps things. */
export interface EngineOptions {
  /** The store: images, layers, volumes, state. `/var/lib/sampan` unless SAMPAN_ROOT says otherwise. */
  readonly root?: string;
  /** Run state, gone after a reboot. `/run/sampan` unless SAMPAN_STATE says otherwise. */
  readonly state?: string;
}

/** A published port: any free one of the host's where `hostPort` is left out. */
export type PortOptions = Pick<PortRequest, "containerPort"> & Partial<PortRequest>;

/** A mount: a bind mount unless it says otherwise, writable unless it says otherwise. */
export type MountOptions = Pick<MountRequest, "target"> & Partial<MountRequest>;

/** What a caller may say of a container: any part of a `RunRequest`, and what is usual by short names. */
export interface ContainerOptions extends Partial<Omit<
  RunRequest,
  "image" | "env" | "command" | "remove" | "detach" | "attach" | "sigProxy" | "ports" | "mounts" | "detachKeys" | "cidfile"
>> {
  /** A reference, or "host" for this machine's own root directory under a layer that is thrown away. */
  readonly image: string;
  /** The program and its arguments; the image's where it is left out. */
  readonly command?: readonly string[];
  /** Variables of the container, as a record or as "K=V". */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** Bytes. */
  readonly memoryBytes?: number;
  /** CPUs: 1.5 is one and a half. */
  readonly cpus?: number;
  /** Processes and threads; -1 is unlimited. */
  readonly pidsLimit?: number;
  /** "none", "host", "container:NAME" or a network's name; the default network if it is left out. */
  readonly network?: string;
  readonly ports?: readonly PortOptions[];
  readonly mounts?: readonly MountOptions[];
  /** A seccomp profile, as Docker and the OCI runtime spec write it; the built-in one where it is left out, "unconfined" for none. */
  readonly seccomp?: Readonly<Record<string, unknown>> | "unconfined";
}

/** The request that these options stand for. */
export function requestOf(options: ContainerOptions): RunRequest {
  const { image, command, env, memoryBytes, cpus, pidsLimit, network, ports, mounts, seccomp, ...rest } = options;
  return {
    ...emptyRunRequest(image, [...(command ?? [])]),
    // The signals of a program that has containers are its own.
    sigProxy: false,
    ...defined(rest),
    env: environmentOf(env),
    ports: (ports ?? []).map((port) => ({ hostIp: "", hostPort: 0, protocol: "tcp", ...port })),
    mounts: (mounts ?? []).map((mount) => ({ type: "bind", source: "", readonly: false, ...mount })),
    resources: {
      ...rest.resources,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(cpus === undefined ? {} : { nanoCpus: Math.round(cpus * 1e9) }),
      ...(pidsLimit === undefined ? {} : { pidsLimit }),
    },
    securityOpt: [
      ...(rest.securityOpt ?? []),
      ...(seccomp === undefined ? [] : [`seccomp=${typeof seccomp === "string" ? seccomp : JSON.stringify(seccomp)}`]),
    ],
    networks: networksOf(network, rest.networks),
  };
}

/** "K=V" for each. */
export function environmentOf(env: ContainerOptions["env"]): string[] {
  if (env === undefined) return [];
  return isList(env) ? [...env] : Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function networksOf(network: string | undefined, networks: NetworkAttachment[] | undefined): NetworkAttachment[] {
  return network === undefined ? (networks ?? []) : [{ network, aliases: [] }, ...(networks ?? [])];
}

/** Without what is undefined, which would hide a default. */
function defined<T extends object>(options: T): T {
  // The same object type: only properties that may be missing go.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function isList(env: Readonly<Record<string, string>> | readonly string[]): env is readonly string[] {
  return Array.isArray(env);
}
