import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { nowNs } from "./record.ts";

/** Appends what happened to a container, with Docker's attributes: its labels, image and name. */
export function appendEvent(context: EngineContext, record: ContainerRecord, action: string, attributes: Readonly<Record<string, string>> = {}): void {
  context.store.events.append({
    timeNs: nowNs(), type: "container", action, actorId: record.id,
    attributes: { ...record.labels, image: record.imageReference, name: record.name, ...attributes },
  });
}
