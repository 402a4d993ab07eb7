import { openSync, writeFileSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";
import * as C from "../linux/constants.ts";
import type { IdMapping, Mount, RuntimeConfig } from "../oci/index.ts";
import { Block } from "../plan/index.ts";
import { Part, Session } from "../plan/session.ts";
import type { Context } from "./context.ts";
import type { ContainerFiles } from "./state.ts";

function mapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/**
 * Opens user namespaces with the mappings that bind mounts ask for. A mapping exists only in a namespace, and that only
 * while something holds it: a child of a keel is born in one, and goes when its descriptor is ours.
 */
export async function idMappedMounts(
  context: Context,
  config: RuntimeConfig,
  files: ContainerFiles,
  inherit: number[],
  opened: number[],
): Promise<ReadonlyMap<Mount, number>> {
  const result = new Map<Mount, number>();
  const known = new Map<string, number>();
  using session = await Session.open({ keel: context.keel, directory: files.directory });
  for (const mount of config.mounts ?? []) {
    const { options = [], destination } = mount;
    if (!mount.uidMappings && !options.includes("idmap") && !options.includes("ridmap")) continue;
    const joined = mount.uidMappings || config.linux?.uidMappings?.length ? undefined : config.linux?.namespaces?.find(({ type }) => type === "user")?.path;
    const uids = joined ?? mapText(mount.uidMappings ?? config.linux?.uidMappings ?? []);
    const gids = mapText(mount.gidMappings ?? config.linux?.gidMappings ?? []);
    const key = `${uids}/${gids}`;
    let fd = known.get(key);
    if (fd === undefined && joined !== undefined) {
      opened.push(openSync(joined, "r"));
      inherit.push(opened.at(-1) ?? -1);
      fd = 3 + inherit.length - 1;
      known.set(key, fd);
    }
    if (fd === undefined) {
      const pid = bornInUserNamespace(session, destination);
      try {
        writeFileSync(`/proc/${pid}/uid_map`, uids);
        writeFileSync(`/proc/${pid}/gid_map`, gids);
        opened.push(openSync(`/proc/${pid}/ns/user`, "r"));
      } catch (error) {
        throw new SampanError("invalid", `Cannot map the owners of "${destination}": ${errnoOf(error) ?? String(error)}`, { cause: error });
      } finally {
        process.kill(pid, "SIGKILL");
      }
      inherit.push(opened.at(-1) ?? -1);
      fd = 3 + inherit.length - 1;
      known.set(key, fd);
    }
    result.set(mount, fd);
  }
  return result;
}

function bornInUserNamespace(session: Session, destination: string): number {
  const what = `map the owners of "${destination}"`;
  const part = new Part();
  const args = new Block(88, "struct clone_args").u64(0, C.CLONE_NEWUSER).u64(32, C.SIGCHLD);
  part.line.clone(args, 88, { what, why: "a namespace for the mapping" });
  const inner = part.plan.inner;
  inner.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0], { what, why: "it goes with its parent" });
  inner.call("ppoll", [null, 0, null, null, 8], { what, why: "until it is killed" });
  return session.run(part).report.childPid;
}
