import { deferredIterable } from "../../base/deferred-iterable.ts";
import type { Images, System } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `system`: each use case is a file of its own, loaded when it is first asked for. */
export function systemApi(context: EngineContext, images: () => Pick<Images, "list"> | undefined): System {
  return {
    info: async () => (await import("./info.ts")).systemInfo(context),
    diskUsage: async (options) => (await import("./disk-usage.ts")).diskUsage(context, images(), options),
    events: (options) => deferredIterable(async () => (await import("./events.ts")).engineEvents(context, options)),
    collect: async () => (await import("./collect.ts")).collectGarbage(context),
    checkHost: async () => (await import("./check-host.ts")).checkHost(context),
    async boot(options) {
      const { bootContainers } = await import("./boot.ts");
      return bootContainers(context, options);
    },
    async noteHealth(id) {
      const { noteHealth } = await import("../containers/health-notify.ts");
      return noteHealth(context, id);
    },
    async finish(id, execId) {
      if (execId !== undefined) return (await import("../containers/exec-end.ts")).finishExec(context, id, execId);
      const { finishOrRestart } = await import("../containers/begin.ts");
      return finishOrRestart(context, id);
    },
  };
}
