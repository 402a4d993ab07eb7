import { deferredIterable } from "../../base/deferred-iterable.ts";
import type { Containers } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `containers`: each use case is a file of its own, loaded when it is first asked for. */
export function containersApi(context: EngineContext): Partial<Containers> & Pick<Containers, "run"> {
  return {
    async run(request, options) {
      const { runContainer } = await import("./run.ts");
      return runContainer(context, request, options);
    },
    async exec(name, request, options) {
      const { execInContainer } = await import("./exec.ts");
      return execInContainer(context, name, request, options);
    },
    logs: (name, options) => deferredIterable(async () => (await import("./logs.ts")).readLogs(context, name, options)),
  };
}
