import { SampanError } from "../../base/errors.ts";
import type { EventRecord } from "../../storage/state/index.ts";
import { followEvents } from "../../storage/state/index.ts";
import type { EngineEvent, Filters, System } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { needRoot } from "../privilege.ts";

const MS = 1_000_000n;

/**
 * What happens, from whatever process: first what is on record since `sinceMs`, then what comes, until `untilMs` or the
 * signal. Without `sinceMs` only what is yet to come, and with an `untilMs` that is over, nothing.
 */
export async function* engineEvents(context: EngineContext, options: Parameters<System["events"]>[0]): AsyncGenerator<EngineEvent, void, undefined> {
  needRoot("read events");
  const matches = eventFilter(options.filters ?? {});
  const { store } = context;
  const untilNs = options.untilMs === undefined ? undefined : BigInt(Math.round(options.untilMs)) * MS;
  // The place is marked before the record is read: what happens meanwhile is told after it, once.
  let afterId = store.events.lastId();
  if (options.sinceMs !== undefined) {
    const sinceNs = BigInt(Math.floor(options.sinceMs)) * MS;
    for (const record of store.events.list({ sinceNs, ...(untilNs === undefined ? {} : { untilNs }) })) {
      afterId = Math.max(afterId, record.id);
      if (matches(record)) yield eventOf(record);
    }
  }
  const leftMs = options.untilMs === undefined ? undefined : options.untilMs - Date.now();
  if (leftMs !== undefined && leftMs <= 0) return;
  const end = new AbortController();
  const stop = (): void => { end.abort(); };
  // setTimeout counts to 2^31 ms; who waits longer than 24 days is not kept waiting by that.
  const timer = leftMs === undefined ? undefined : setTimeout(stop, Math.min(leftMs, 2 ** 31 - 1));
  options.signal?.addEventListener("abort", stop);
  if (options.signal?.aborted === true) stop();
  try {
    for await (const record of followEvents(store, { afterId, signal: end.signal })) {
      afterId = record.id;
      if (untilNs !== undefined && record.timeNs > untilNs) return;
      if (matches(record)) yield eventOf(record);
    }
    // What came between the last look and the end.
    if (untilNs !== undefined && options.signal?.aborted !== true)
      for (const record of store.events.list({ afterId, untilNs })) if (matches(record)) yield eventOf(record);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", stop);
  }
}

/** Docker's message. */
function eventOf({ timeNs, type, action, actorId, attributes }: EventRecord): EngineEvent {
  // "system" is not a type that anybody writes yet; Docker has none either.
  const Type = type === "system" ? "container" : type;
  return {
    Type, Action: action, Actor: { ID: actorId, Attributes: inOrder(attributes) }, scope: "local", time: Number(timeNs / 1_000_000_000n),
    timeNano: timeNs,
  };
}

const KEYS = ["container", "event", "image", "label", "network", "scope", "type", "volume"];
/** Actions that say more after a colon ("health_status: healthy") are found without it. */
const OPEN_ENDED = ["health_status", "exec_create", "exec_start"];

/** Docker's rules: every key must hold; of several values of one key any will do, but every label must be there. Throws in its words. */
function eventFilter(filters: Filters): (event: EventRecord) => boolean {
  const unknown = Object.keys(filters).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw new SampanError("invalid", `invalid filter '${unknown}'`, { hint: `Filters are ${KEYS.join(", ")}` });
  const tests = Object.entries(filters).map(([key, values]): ((event: EventRecord) => boolean) => {
    switch (key) {
      case "container":
      case "network":
      case "volume":
        return ({ type, actorId, attributes }) =>
          values.some((value) => (type === key && (actorId.startsWith(value) || (attributes["name"] ?? "").startsWith(value))) ||
            (type !== key && attributes[key] === value));
      case "image":
        return ({ type, actorId, attributes }) => {
          const name = attributes[type === "image" ? "name" : "image"] ?? "";
          return values.some((value) => (type === "image" && actorId === value) || name === value || untagged(name) === value);
        };
      case "event":
        return ({ action }) => values.some((value) => action === value || (OPEN_ENDED.includes(value) && action.startsWith(value)));
      case "type":
        return ({ type }) => values.includes(type);
      case "scope":
        return () => values.includes("local");
      default:
        return ({ attributes }) => values.every((value) => hasLabel(attributes, value));
    }
  });
  return (event) => tests.every((test) => test(event));
}

/** Without its tag: a colon in the last part of the path. */
function untagged(reference: string): string {
  return reference.replace(/:[^:/]+$/, "");
}

function hasLabel(attributes: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf("=");
  return equals < 0 ? attributes[label] !== undefined : attributes[label.slice(0, equals)] === label.slice(equals + 1);
}

/** By name, as Go writes a map. */
function inOrder(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
