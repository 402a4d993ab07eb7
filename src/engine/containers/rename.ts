import { SampanError } from "../../base/errors.ts";
import type { Cancellable } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { storedConfigOf } from "./begin.ts";
import { refreshMembers } from "../network/members.ts";
import { appendEvent } from "./events.ts";
import { findContainer } from "./settle.ts";

/** Gives a container another name. */
export async function renameContainer(context: EngineContext, name: string, newName: string, _options: Cancellable): Promise<void> {
  const record = await findContainer(context, name);
  const wanted = newName.replace(/^\//, "");
  if (name === "" || newName === "") throw new SampanError("invalid", "Neither old nor new names may be empty");
  if (wanted === record.name) throw new SampanError("invalid", "Renaming a container with the same name as its current name");
  const stored = storedConfigOf(context, record);
  const { store } = context;
  store.transaction(() => {
    try {
      store.containers.rename(record.id, wanted);
    } catch (error) {
      if (error instanceof SampanError && error.kind === "conflict")
        throw new SampanError(error.kind, `Error when allocating new name: ${error.message}`, { cause: error });
      throw error;
    }
    store.containers.setConfig(record.id, JSON.stringify({ ...stored, name: wanted }));
    appendEvent(context, { ...record, name: wanted }, "rename", { oldName: `/${record.name}` });
  });
  refreshMembers(context, store.endpoints.ofContainer(record.id).filter(({ active }) => active).map(({ networkId }) => networkId));
}
