import type { ContainerId } from "../../base/ids.ts";
import type { ContainerFields, ContainerRecord, NewContainer } from "./container-record.ts";
import type { NewEvent } from "./events.ts";
import type { PortLease } from "./ports.ts";
import type { Resource } from "./resources.ts";
import type { StateStore } from "./store.ts";
import type { VolumeRecord } from "./volumes.ts";

/** The three writes of a container's life, one transaction each. */

export interface Reservation {
  readonly container: NewContainer;
  /** All that is about to be made; `containerId` is the container's. */
  readonly resources?: readonly Omit<Resource, "containerId">[];
  /** Volumes to mount; `create` where the volume need not exist yet. */
  readonly volumes?: readonly { readonly name: string; readonly target: string; readonly create?: VolumeRecord }[];
  readonly ports?: readonly Omit<PortLease, "containerId">[];
  /** Events to append; the container's id is put in as the actor, and its name as an attribute. */
  readonly actions?: readonly string[];
  readonly timeNs: bigint;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Whatever else must hold together with it: address leases, endpoints. What it throws undoes all. */
  readonly within?: (container: ContainerRecord) => void;
}

/** Takes name, volumes, ports and addresses and records every resource, or changes nothing. */
export function reserveRun(store: StateStore, wanted: Reservation): ContainerRecord {
  return store.transaction(() => {
    const container = store.containers.reserve(wanted.container);
    const { id } = container;
    if (wanted.resources !== undefined) store.resources.record(wanted.resources.map((resource) => ({ ...resource, containerId: id })), container.createdMs);
    for (const { name, target, create } of wanted.volumes ?? []) {
      if (create !== undefined && store.volumes.create(create).created)
        store.events.append({ timeNs: wanted.timeNs, type: "volume", action: "create", actorId: name, attributes: { driver: create.driver } });
      store.volumes.use(name, id, target);
    }
    if (wanted.ports !== undefined) store.ports.lease(wanted.ports.map((port) => ({ ...port, containerId: id })));
    wanted.within?.(container);
    appendActions(store, container, wanted.actions ?? [], wanted.timeNs, wanted.attributes);
    return container;
  });
}

export interface Ending {
  readonly fields: Partial<ContainerFields> & Pick<ContainerFields, "finishedMs" | "exitCode">;
  /** Forget the container altogether (`--rm`). Its kernel resources and files must be gone by now. */
  readonly remove: boolean;
  /** "restarting" where a restart is due, "created" if it has never run, "dead" if it could not be cleaned up. */
  readonly status?: "exited" | "restarting" | "created" | "dead";
  /** Only if nothing was changed since: the caller looked at the processes of this very run. */
  readonly revision?: number;
  readonly actions?: readonly string[];
  readonly timeNs: bigint;
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * Records that a run is over and gives back addresses, ports and what was recorded for the run. The first who says so is right: false if
 * the container is gone, has ended before, or was changed since `revision`, and then nothing happens.
 */
export function finishRun(store: StateStore, id: ContainerId, ending: Ending): boolean {
  return store.transaction(() => {
    const { moved, container } = store.containers.transition(id, ["creating", "created", "running", "paused", "ending"], ending.status ?? "exited", {
      fields: { ...ending.fields, pid: null, pidStartTime: null, monitorPid: null, monitorStartTime: null },
      ...(ending.revision === undefined ? {} : { revision: ending.revision }),
    });
    if (!moved) return false;
    appendActions(store, container, ending.actions ?? [], ending.timeNs, ending.attributes);
    if (ending.remove) {
      store.resources.releaseAll(id, "any");
      store.containers.delete(id);
    } else {
      store.resources.releaseAll(id, "run");
      store.networks.releaseAddresses(id);
      store.ports.release(id);
      store.endpoints.deactivate(id);
    }
    return true;
  });
}

/** Forgets a container whose resources are gone, whatever its status. False if it is gone already. */
export function forgetContainer(
  store: StateStore,
  id: ContainerId,
  event: { readonly timeNs: bigint; readonly actions?: readonly string[]; readonly attributes?: Readonly<Record<string, string>> },
): boolean {
  return store.transaction(() => {
    const container = store.containers.get(id);
    if (container === undefined) return false;
    appendActions(store, container, event.actions ?? ["destroy"], event.timeNs, event.attributes);
    store.resources.releaseAll(id, "any");
    return store.containers.delete(id);
  });
}

/** What each action tells beside what all tell: Docker's rule. */
const ATTRIBUTE_OF: Readonly<Record<string, string>> = { kill: "signal", die: "exitCode" };

function appendActions(
  store: StateStore,
  container: ContainerRecord,
  actions: readonly string[],
  timeNs: bigint,
  attributes: Readonly<Record<string, string>> = {},
): void {
  for (const action of actions) {
    const attribute = ATTRIBUTE_OF[action] ?? "";
    const value = attributes[attribute];
    const event: NewEvent = {
      timeNs,
      type: "container",
      action,
      actorId: container.id,
      attributes: { ...container.labels, image: container.imageReference, name: container.name, ...(value === undefined ? {} : { [attribute]: value }) },
    };
    store.events.append(event);
  }
}
