/** What the calls of the library take besides what `check.ts` says of a container: each argument by its name, and the options. */
import type { Check, Checks } from "./check.ts";
import { check, checkArguments, flag, listOf, oneOf, record, resources, restart, shape, signal, text, whole } from "./check.ts";
import type { Container, CreatedContainer, RunningContainer } from "./container.ts";
import type { Containers } from "./containers.ts";
import type { Engine } from "./engine.ts";
import type { Images } from "./images.ts";
import type { Networks, Registries, Volumes } from "./resources.ts";

interface Call<Options> {
  /** The arguments before the options, in their order. */
  readonly takes: Readonly<Record<string, Check>>;
  readonly options: Checks<Options>;
  /** It gives something to read, not a promise: what is wrong is thrown, and not rejected with. */
  readonly read?: true;
}

type LastOf<Method> = Method extends (...args: infer Args) => unknown
  ? (Required<Args> extends readonly [...unknown[], infer Last] ? Required<Last> : never)
  : never;
type Method = (this: unknown, ...args: unknown[]) => unknown;
/** Every method that takes options, but those that look at them themselves. */
type CallsOf<Room, Own extends keyof Room = never> = {
  readonly [Name in keyof Room as Name extends Own | symbol ? never : Room[Name] extends (...args: never) => unknown ? Name : never]: Call<LastOf<Room[Name]>>;
};

const optional = (one: Check): Check => (value) => (value === undefined ? undefined : one(value));
const isIterable = (value: unknown): boolean => typeof value === "object" && value !== null && Symbol.asyncIterator in value;
const archive: Check = (value) => (typeof value === "string" ? text(value) : isIterable(value) ? undefined : "a path or an async iterable of bytes");
const importable: Check = (value) => (value instanceof URL ? undefined : archive(value) && "a path, a URL or an async iterable of bytes");
const target: Check = (value) => (typeof value === "function" || text(value) === undefined ? undefined : "a path or a function that takes bytes");
const milliseconds: Check = (value) => (typeof value === "number" && Number.isFinite(value) ? undefined : "a number of milliseconds");
const filters: Check = (value) => {
  const isRight = typeof value === "object" && value !== null && Object.values(value).every((each) => listOf(text)(each) === undefined);
  return isRight ? undefined : "an object of arrays of strings";
};

const NONE = { signal };
const PLATFORM = { signal, platform: text };
const TRANSFER = { ...PLATFORM, allTags: flag, tlsVerify: flag };
const FILTERS = { signal, filters };
const COPY = { signal, followLink: flag, archive: flag };
const STOP = { signal, timeoutSeconds: whole(-1, "seconds") };
const request = shape({ resources, restart });

export const ENGINE: CallsOf<Engine> = {
  events: { takes: {}, options: { ...FILTERS, sinceMs: milliseconds, untilMs: milliseconds }, read: true },
  info: { takes: {}, options: NONE },
  checkHost: { takes: {}, options: NONE },
  diskUsage: { takes: {}, options: NONE },
  collect: { takes: {}, options: NONE },
  boot: { takes: {}, options: NONE },
};

export const CONTAINERS: CallsOf<Containers, "run" | "stream" | "runAll" | "explain" | "trace" | "create" | "start"> = {
  get: { takes: { name: text }, options: NONE },
  running: { takes: { name: text }, options: NONE },
  list: { takes: {}, options: { ...FILTERS, all: flag, last: whole(-1, "containers"), size: flag } },
  inspect: { takes: { name: text }, options: { signal, size: flag } },
  update: { takes: { name: text, request }, options: NONE },
  remove: { takes: { name: text }, options: { signal, force: flag, volumes: flag } },
  prune: { takes: {}, options: FILTERS },
  stats: { takes: { names: optional(listOf(text)) }, options: NONE, read: true },
};

export const CONTAINER: CallsOf<Container> = {
  inspect: { takes: {}, options: NONE },
  logs: { takes: {}, options: { signal, follow: flag, tail: whole(0, "records"), sinceMs: milliseconds, untilMs: milliseconds }, read: true },
  diff: { takes: {}, options: NONE },
  copyIn: { takes: { source: archive, containerPath: text }, options: COPY },
  copyOut: { takes: { containerPath: text, target }, options: COPY },
  export: { takes: {}, options: NONE, read: true },
  commit: { takes: { reference: text }, options: { signal, message: text, author: text, changes: listOf(text) } },
  update: { takes: { request }, options: NONE },
  rename: { takes: { name: text }, options: NONE },
  remove: { takes: {}, options: NONE },
};

export const STARTABLE: CallsOf<CreatedContainer, keyof Container> = {
  start: { takes: {}, options: NONE },
};

export const RUNNING: CallsOf<RunningContainer, keyof Container | "exec" | "execStream" | "attach"> = {
  stop: { takes: {}, options: STOP },
  restart: { takes: {}, options: STOP },
  kill: { takes: { killSignal: optional(text) }, options: NONE },
  pause: { takes: {}, options: NONE },
  unpause: { takes: {}, options: NONE },
  wait: { takes: {}, options: NONE },
  top: { takes: { psArguments: optional(listOf(text)) }, options: NONE },
  stats: { takes: {}, options: NONE, read: true },
};

export const IMAGES: CallsOf<Images> = {
  pull: { takes: { reference: text }, options: TRANSFER, read: true },
  push: { takes: { reference: text }, options: TRANSFER, read: true },
  load: { takes: { source: archive }, options: { signal, platforms: listOf(text) }, read: true },
  import: { takes: { source: importable, reference: optional(text) }, options: { ...PLATFORM, changes: listOf(text), message: text }, read: true },
  save: { takes: { names: listOf(text) }, options: { signal, format: oneOf("docker", "oci"), platforms: listOf(text) }, read: true },
  saveTo: { takes: { directory: text, names: listOf(text) }, options: { signal, platforms: listOf(text) }, read: true },
  list: { takes: {}, options: { ...FILTERS, all: flag } },
  inspect: { takes: { name: text }, options: PLATFORM },
  history: { takes: { name: text }, options: PLATFORM },
  tag: { takes: { name: text, target: text }, options: NONE },
  remove: { takes: { name: text }, options: { signal, force: flag, noPrune: flag } },
  prune: { takes: {}, options: { ...FILTERS, all: flag } },
};

export const NETWORKS: CallsOf<Networks> = {
  create: {
    takes: { name: text },
    options: {
      signal, driver: text, internal: flag, ipv6: flag, attachable: flag, options: record, labels: record,
      subnets: listOf(shape({ subnet: text, gateway: text, ipRange: text, auxAddresses: record }, ["subnet"])),
    },
  },
  list: { takes: {}, options: FILTERS },
  inspect: { takes: { name: text }, options: NONE },
  remove: { takes: { name: text }, options: NONE },
  connect: { takes: { network: text, container: text }, options: { signal, aliases: listOf(text), ipv4: text } },
  disconnect: { takes: { network: text, container: text }, options: { signal, force: flag } },
  prune: { takes: {}, options: FILTERS },
  reload: { takes: {}, options: NONE },
};

export const VOLUMES: CallsOf<Volumes> = {
  create: { takes: { name: optional(text) }, options: { signal, driver: text, options: record, labels: record } },
  list: { takes: {}, options: FILTERS },
  inspect: { takes: { name: text }, options: NONE },
  remove: { takes: { name: text }, options: { signal, force: flag } },
  prune: { takes: {}, options: { ...FILTERS, all: flag } },
};

export const REGISTRIES: CallsOf<Registries> = {
  login: { takes: { server: text, credentials: shape({ username: text, password: text }, ["username", "password"]) }, options: NONE },
  logout: { takes: { server: text }, options: NONE },
  search: { takes: { term: text }, options: { ...FILTERS, limit: whole(1, "results") } },
};

/** Has the methods of a class look at what they are given, before they do anything. */
export function checkCalls(prototype: object, calls: Readonly<Record<string, Call<never>>>): void {
  for (const [name, { takes, options, read }] of Object.entries(calls)) {
    const method = (prototype as Readonly<Record<string, Method>>)[name]; // the tables' types say that it has one
    if (method === undefined) throw new TypeError(`There is no method "${name}"`);
    const look = (given: readonly unknown[]): void => {
      checkArguments(given, takes);
      const last = given[Object.keys(takes).length];
      if (last !== undefined) check(last, options);
    };
    const value: Method = read === true
      ? function (...given) { look(given); return method.apply(this, given); }
      : async function (...given) { look(given); return await method.apply(this, given); };
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}
