import type { DeviceRequest } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";

function isDeviceMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** `--device HOST[:CONTAINER][:rwm]`. */
export function parseDevice(text: string): DeviceRequest {
  const parts = text.split(":");
  const hostPath = parts[0] ?? "";
  if (parts.length > 3 || hostPath === "") return refuse(`bad format for path: ${text}`);
  let containerPath = hostPath;
  let permissions = "rwm";
  if (parts.length === 2) {
    const second = parts[1] ?? "";
    if (isDeviceMode(second)) permissions = second;
    else containerPath = second;
  } else if (parts.length === 3) {
    containerPath = parts[1] ?? "";
    permissions = parts[2] ?? "";
    if (!isDeviceMode(permissions)) return refuse(`bad mode specified: ${permissions}`);
  }
  for (const path of [hostPath, containerPath]) if (!path.startsWith("/")) return refuse(`${path} is not an absolute path`);
  return { hostPath, containerPath, permissions };
}

/** `--device-cgroup-rule "c 1:3 rwm"`. */
export function parseDeviceRule(text: string): string {
  return /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text) ? text : refuse(`invalid device cgroup format '${text}'`);
}
