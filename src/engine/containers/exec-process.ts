import type { Process } from "../../oci/index.ts";
import type { ExecRequest } from "../api.ts";
import type { ContainerPaths } from "../paths.ts";
import { environmentOf } from "../spec/runtime-config.ts";
import { capabilitiesOf, hostCapabilities, securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { resolveUser } from "../spec/users.ts";

/**
 * What a command in a container is: as the container's own first process, but for what was asked otherwise. Users are
 * looked up in the layers, never in the running root filesystem, where a program could redirect the look.
 */
export function execProcess(
  paths: ContainerPaths,
  stored: StoredConfig,
  wanted: Pick<ExecRequest, "command" | "tty" | "privileged" | "env" | "user" | "workdir">,
): Process {
  const { request, image } = stored;
  const layers = image.writableRoot === undefined ? [paths.upper, ...image.lowers] : [image.writableRoot];
  const user = resolveUser({ user: wanted.user ?? request.user ?? image.config.user, groupAdd: request.groupAdd, layers });
  const capabilities = wanted.privileged ? hostCapabilities() : capabilitiesOf(request);
  const security = securityOptions(request);
  const held = user.uid === 0 || wanted.privileged ? capabilities : [];
  const env = environmentOf({ ...stored, request: { ...request, tty: wanted.tty, env: [...request.env, ...wanted.env] } }, user.home, {});
  const workdir = wanted.workdir ?? request.workdir ?? image.config.workdir;
  return {
    terminal: wanted.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] },
    args: [...wanted.command],
    env,
    cwd: workdir === "" ? "/" : workdir,
    capabilities: { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] },
    rlimits: request.ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
    noNewPrivileges: security.noNewPrivileges,
    ...(request.resources.oomScoreAdj === undefined ? {} : { oomScoreAdj: request.resources.oomScoreAdj }),
  };
}
