import { SampanError } from "../../base/errors.ts";
import type { RunRequest } from "../request.ts";
import { requestedDevices } from "./host-devices.ts";
import type { RunnableImage } from "./image.ts";
import { capabilitiesOf, checkAppArmor } from "./security.ts";
import { resolveUser } from "./users.ts";

/** What lives beneath /proc and may be covered one by one: lxcfs shows a container its own limits there. */
const COVERABLE = new Set(["cpuinfo", "diskstats", "loadavg", "meminfo", "slabinfo", "stat", "swaps", "uptime"].map((name) => `/proc/${name}`));

/**
 * What of a request the host or the image decides, all problems as sentences. The same parts are asked again when the
 * container starts and then throw one at a time: here they are asked before anything is made, and all of them.
 */
export function checkRequest(request: RunRequest, image: RunnableImage): string[] {
  const problems: string[] = [];
  const attempt = (check: () => unknown): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof SampanError) || error.kind === "internal") throw error;
      problems.push(error.message);
    }
  };
  if (request.capAdd.length > 0 || request.capDrop.length > 0) attempt(() => capabilitiesOf(request));
  if (request.securityOpt.length > 0) attempt(() => { checkAppArmor(request); });
  for (const device of request.devices) attempt(() => requestedDevices([device]));
  const user = request.user ?? image.config.user;
  if (user !== "") attempt(() => resolveUser({ user, groupAdd: [], layers: image.lowers }));
  for (const group of request.groupAdd) attempt(() => resolveUser({ user: "", groupAdd: [group], layers: image.lowers }));
  for (const { target } of request.mounts) {
    const path = target.replace(/\/+$/, "");
    // A fake /proc would take the container's own security settings from under it (CVE-2019-16884).
    if ((path === "/proc" || path.startsWith("/proc/")) && !COVERABLE.has(path))
      problems.push(`invalid mount config: "${target}" cannot be mounted because it is inside /proc`);
  }
  return problems;
}
