import { deferredIterable } from "../../base/deferred-iterable.ts";
import type { Containers } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `containers`: each use case is a file of its own, loaded when it is first asked for. */
export function containersApi(context: EngineContext): Containers {
  return {
    async run(request, options) {
      const { runContainer } = await import("./run.ts");
      return runContainer(context, request, options);
    },
    async explain(request, options) {
      const { explainRun } = await import("./explain.ts");
      return explainRun(context, request, options);
    },
    async trace(request, options) {
      const { traceRun } = await import("./trace.ts");
      return traceRun(context, request, options);
    },
    async create(request, options) {
      const { createContainer } = await import("./run.ts");
      return createContainer(context, request, options);
    },
    async start(name, options) {
      const { startInBackground } = await import("./begin.ts");
      return startInBackground(context, name, options);
    },
    async startAttached(name, options) {
      const { startAttached } = await import("./begin.ts");
      return startAttached(context, name, options);
    },
    async stop(name, options) {
      const { stopContainer } = await import("./stop.ts");
      return stopContainer(context, name, options);
    },
    async restart(name, options) {
      const { restartContainer } = await import("./stop.ts");
      return restartContainer(context, name, options);
    },
    async kill(name, options) {
      const { killContainer } = await import("./stop.ts");
      return killContainer(context, name, options);
    },
    async pause(name, options) {
      const { pauseContainer } = await import("./pause.ts");
      return pauseContainer(context, name, options);
    },
    async unpause(name, options) {
      const { unpauseContainer } = await import("./pause.ts");
      return unpauseContainer(context, name, options);
    },
    async wait(name, options) {
      const { waitForContainer } = await import("./wait.ts");
      return waitForContainer(context, name, options);
    },
    async remove(name, options) {
      const { removeContainer } = await import("./remove.ts");
      return removeContainer(context, name, options);
    },
    async commit(name, request, options) {
      const { commitContainer } = await import("../images/commit.ts");
      return commitContainer(context, name, request, options);
    },
    async rename(name, newName, options) {
      const { renameContainer } = await import("./rename.ts");
      return renameContainer(context, name, newName, options);
    },
    async list(options) {
      const { listContainers } = await import("./list.ts");
      return listContainers(context, options);
    },
    async inspect(name, options) {
      const { inspectContainer } = await import("./inspect.ts");
      return inspectContainer(context, name, options);
    },
    async prune(options) {
      const { pruneContainers } = await import("./prune.ts");
      return pruneContainers(context, options);
    },
    async exec(name, request, options) {
      const { execInContainer } = await import("./exec.ts");
      return execInContainer(context, name, request, options);
    },
    async attach(name, options) {
      const { attachToContainer } = await import("./attach.ts");
      return attachToContainer(context, name, options);
    },
    async update(name, request, options) {
      const { updateContainer } = await import("./update.ts");
      return updateContainer(context, name, request, options);
    },
    async top(name, psArguments, options) {
      const { topContainer } = await import("./top.ts");
      return topContainer(context, name, psArguments, options);
    },
    stats: (names, options) => deferredIterable(async () => (await import("./stats.ts")).statsOf(context, names, options)),
    async copyFrom(name, path, target, options) {
      const { copyFrom } = await import("./copy.ts");
      return copyFrom(context, name, path, target, options);
    },
    async copyTo(name, source, path, options) {
      const { copyTo } = await import("./copy.ts");
      return copyTo(context, name, source, path, options);
    },
    async diff(name, options) {
      const { diffContainer } = await import("./diff.ts");
      return diffContainer(context, name, options);
    },
    export: (name, options) => deferredIterable(async () => (await import("./export.ts")).exportContainer(context, name, options)),
    logs: (name, options) => deferredIterable(async () => (await import("./logs.ts")).readLogs(context, name, options)),
  };
}
