/**
 * The use cases, and the only room that composes the others: what the CLI, the library and the API do is here.
 *
 * Vocabulary: a *request* is what a person asks for; the *stored config* is what is kept of it, with all that was
 * resolved; a *start* compiles that into a plan and hands it to keel; to *finish* is to clean up after the last process.
 *
 * Invariants: decide, then record, then make; a resource that is not recorded is not made. A pid is trusted only with
 * its start time and boot. Everything after a container's end can be done twice and by anybody.
 */
import type { Engine, OpenOptions } from "./api.ts";
import { containersApi } from "./containers/api.ts";
import { systemApi } from "./system/api.ts";
import { networksApi } from "./network/api.ts";
import { imagesApi } from "./images/api.ts";
import { registriesApi } from "./registries/api.ts";
import { volumesApi } from "./volumes/index.ts";
import { EngineContext } from "./context.ts";
import { Door } from "./door.ts";
import { engineCommand } from "./executor.ts";

export type * from "./api.ts";
export type * from "./api-logs.ts";
export type * from "./request.ts";
export { emptyRunRequest } from "./request.ts";

/** Opens the engine on a store and a run state. Nothing is read or made before the first use. Dispose of it at the end. */
export async function openEngine(options: OpenOptions): Promise<Engine> {
  const context = new EngineContext({ ...options, command: engineCommand() });
  const door = new Door(() => { context[Symbol.dispose](); });
  const images = once(() => imagesApi(context));
  const parts = {
    containers: once(() => door.guard(containersApi(context), ["stats", "logs", "export"])),
    images: once(() => door.guard(images(), ["save"])),
    registries: once(() => door.guard(registriesApi())),
    networks: once(() => door.guard(networksApi(context))),
    volumes: once(() => door.guard(volumesApi(context))),
    system: once(() => door.guard(systemApi(context, images), ["events"])),
  };
  // A command uses one or two of them, and making all would be a twentieth of a short one.
  return {
    get containers() { return parts.containers(); },
    get images() { return parts.images(); },
    get registries() { return parts.registries(); },
    get networks() { return parts.networks(); },
    get volumes() { return parts.volumes(); },
    get system() { return parts.system(); },
    [Symbol.asyncDispose]: async (): Promise<void> => { door.close(); },
  };
}

/** Makes it when it is first asked for. */
function once<Made extends object>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => made ??= make();
}
