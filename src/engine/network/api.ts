import type { Networks } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `networks`: each use case is loaded when it is first asked for. */
export function networksApi(context: EngineContext): Networks {
  return {
    async create(request) {
      const { createNetwork } = await import("./create.ts");
      return createNetwork(context, request);
    },
    async list({ filters }) {
      const { listNetworks } = await import("./list.ts");
      return listNetworks(context, filters);
    },
    async inspect(name) {
      const { inspectNetwork } = await import("./list.ts");
      return inspectNetwork(context, name);
    },
    async remove(name) {
      const { removeNetwork } = await import("./remove.ts");
      await removeNetwork(context, name);
    },
    async connect(container, attachment) {
      const { connect } = await import("./connect.ts");
      await connect(context, container, attachment);
    },
    async disconnect(container, network, { force }) {
      const { disconnect } = await import("./connect.ts");
      await disconnect(context, container, network, force);
    },
    async prune({ filters }) {
      const { pruneNetworks } = await import("./remove.ts");
      return pruneNetworks(context, filters);
    },
    async reload() {
      const { reloadNetworks } = await import("./reload.ts");
      return reloadNetworks(context);
    },
  };
}
