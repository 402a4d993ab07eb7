import { SampanError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { ContainerStatus, ContainerSummary, Filters } from "../api.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { exposedPortsOf } from "./summary.ts";

/** What a filter looks at. */
export interface Candidate {
  readonly record: ContainerRecord;
  readonly stored: StoredConfig;
  readonly summary: ContainerSummary;
}

export type Test = (candidate: Candidate) => boolean;

const STATUSES: readonly ContainerStatus[] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTH = ["none", "starting", "healthy", "unhealthy"];

function invalid(key: string, value: string): SampanError {
  return new SampanError("invalid", `Invalid filter '${key}=${value}'`);
}

/** Docker's match of names and ids: equal, or a regular expression that is found in it. */
export function pattern(value: string): (text: string) => boolean {
  let expression: RegExp | undefined;
  try {
    expression = new RegExp(value);
  } catch {
    expression = undefined; // no expression: nothing but itself, as Docker has it
  }
  return (text) => text === value || expression?.test(text) === true;
}

export function labelTest(value: string): (labels: Readonly<Record<string, string>>) => boolean {
  const equals = value.indexOf("=");
  const [key, wanted] = equals < 0 ? [value, undefined] : [value.slice(0, equals), value.slice(equals + 1)];
  return (labels) => labels[key] !== undefined && (wanted === undefined || labels[key] === wanted);
}

/** "80", "80/udp", "8000-8010/tcp" against the host's side or the container's. */
function portTest(key: string, value: string, side: "publish" | "expose"): Test {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(value);
  if (!match) throw invalid(key, value);
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  const protocol = match[3] ?? "tcp";
  const holds = (port: number, of: string): boolean => port >= first && port <= last && of === protocol;
  if (side === "publish") return ({ summary }) => summary.ports.some((port) => holds(port.hostPort, port.protocol));
  return ({ stored }) => exposedPortsOf(stored).some((text) => holds(Number.parseInt(text, 10), text.slice(text.indexOf("/") + 1)));
}

/** `before` and `since` name a container, as Docker has it. */
function age(context: EngineContext, value: string): number {
  return context.store.containers.find(value).createdMs;
}

/** By name, id, or the image it was made of; a reference also matches without its tag. */
function ancestorTest(context: EngineContext, value: string): Test {
  const bare = value.replace(/^sha256:/, "");
  const tagged = context.store.images.tagged(value)?.id;
  return ({ record, summary }) => {
    const { image } = summary;
    if (image === value || image === `${value}:latest` || `${image}:latest` === value) return true;
    const id = record.imageId;
    if (id === null) return image.replace(/:[^:/]+$/, "") === value;
    return id === tagged || (/^[0-9a-f]{6,64}$/.test(bare) && id.slice("sha256:".length).startsWith(bare));
  };
}

function networkTest(context: EngineContext, value: string): Test {
  const network = context.store.networks.list().find(({ id, name }) => name === value || id === value || (value.length >= 12 && id.startsWith(value)));
  const attached = new Set(network === undefined ? [] : context.store.endpoints.ofNetwork(network.id).map(({ containerId }) => containerId));
  return ({ record, summary }) => summary.networks.includes(value) ||
    (network !== undefined && (summary.networks.includes(network.name) || attached.has(record.id)));
}

/** One test per value. */
function testOf(context: EngineContext, key: string, value: string): Test {
  switch (key) {
    case "id": {
      const matches = pattern(value);
      return ({ record }) => matches(record.id);
    }
    case "name": {
      // Docker's names begin with a slash, and its patterns may say so.
      const matches = pattern(value);
      return ({ record }) => matches(record.name) || matches(`/${record.name}`);
    }
    case "label": {
      const matches = labelTest(value);
      return ({ record }) => matches(record.labels);
    }
    case "status": {
      const wanted = STATUSES.find((status) => status === value);
      if (wanted === undefined) throw invalid(key, value);
      return ({ summary }) => summary.status === wanted;
    }
    case "exited": {
      if (!/^-?\d+$/.test(value)) throw invalid(key, value);
      return ({ record, summary }) => summary.status !== "running" && summary.status !== "paused" && record.startedMs !== null &&
        record.exitCode === Number(value);
    }
    case "health":
      if (!HEALTH.includes(value)) throw new SampanError("invalid", `Unrecognised filter value for health: ${value}`);
      return ({ summary }) => summary.health === value;
    case "ancestor":
      return ancestorTest(context, value);
    case "before": {
      const createdMs = age(context, value);
      return ({ record }) => record.createdMs < createdMs;
    }
    case "since": {
      const createdMs = age(context, value);
      return ({ record }) => record.createdMs > createdMs;
    }
    case "volume":
      return ({ summary }) => summary.mounts.some(({ Name, Source, Destination }) => Name === value || Source === value || Destination === value);
    case "network":
      return networkTest(context, value);
    case "publish":
    case "expose":
      return portTest(key, value, key);
    case "is-task": {
      if (!["true", "false", "1", "0"].includes(value)) throw invalid(key, `[${value}]`);
      return () => value === "false" || value === "0";
    }
    default:
      throw new SampanError("invalid", `Invalid filter '${key}'`);
  }
}

/** Every key must hold; of several values of one key any will do, but every label must be there. Throws in Docker's words. */
export function compileFilters(context: EngineContext, filters: Filters): Test {
  const keys = Object.entries(filters).map(([key, values]) => {
    const tests = values.map((value) => testOf(context, key, value));
    return (candidate: Candidate): boolean => (key === "label" ? tests.every((test) => test(candidate)) : tests.some((test) => test(candidate)));
  });
  return (candidate) => keys.every((test) => test(candidate));
}
