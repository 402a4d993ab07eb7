import type { System } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `system`: each use case is a file of its own, loaded when it is first asked for. */
export function systemApi(context: EngineContext): Partial<System> & Pick<System, "boot" | "finish"> {
  return {
    async boot(options) {
      const { bootContainers } = await import("./boot.ts");
      return bootContainers(context, options);
    },
    async finish(id) {
      const { finishOrRestart } = await import("../containers/begin.ts");
      return finishOrRestart(context, id);
    },
  };
}
