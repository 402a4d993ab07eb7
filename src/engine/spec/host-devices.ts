import { lstatSync, readdirSync, statSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import type { Device, DeviceCgroupRule } from "../../oci/index.ts";
import type { DeviceRequest } from "../request.ts";

/** major(3) and minor(3) of a dev_t as stat(2) gives it. */
function numbers(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  return { major: Number((value >> 8n) & 0xfffn), minor: Number((value & 0xffn) | ((value >> 12n) & 0xffffff00n)) };
}

function nodeAt(hostPath: string, containerPath: string): Device | undefined {
  const stat = statSync(hostPath);
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  return { type: stat.isBlockDevice() ? "b" : "c", path: containerPath, ...numbers(stat.rdev), fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
}

function walk(hostPath: string, containerPath: string, found: Device[]): void {
  const stat = statSync(hostPath);
  if (!stat.isDirectory()) {
    const node = nodeAt(hostPath, containerPath);
    if (node) found.push(node);
    return;
  }
  for (const name of readdirSync(hostPath)) {
    const path = `${hostPath}/${name}`;
    if (lstatSync(path).isSymbolicLink()) continue;
    walk(path, `${containerPath}/${name}`, found);
  }
}

export interface WantedDevices {
  readonly devices: Device[];
  readonly rules: DeviceCgroupRule[];
}

/** `--device`: nodes like the host's, and the permission to open them. Directories stand for all that is in them. */
export function requestedDevices(requests: readonly DeviceRequest[]): WantedDevices {
  const result: WantedDevices = { devices: [], rules: [] };
  for (const { hostPath, containerPath, permissions } of requests) {
    const found: Device[] = [];
    try {
      walk(hostPath, containerPath, found);
    } catch (error) {
      const reason = errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error));
      throw new SampanError("invalid", `error gathering device information while adding custom device "${hostPath}": ${reason}`, { exitCode: 125 });
    }
    if (found.length === 0)
      throw new SampanError("invalid", `error gathering device information while adding custom device "${hostPath}": not a device node`, { exitCode: 125 });
    for (const device of found) {
      result.devices.push(device);
      result.rules.push({ allow: true, type: device.type, major: device.major ?? 0, minor: device.minor ?? 0, access: permissions });
    }
  }
  return result;
}

/** The numbers of the block device at a path, for a limit of its traffic. */
export function blockDevice(path: string): { major: number; minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new SampanError("invalid", `Cannot limit device "${path}": no such file or directory`, { exitCode: 125 });
  if (!stat.isBlockDevice()) throw new SampanError("invalid", `Cannot limit device "${path}": not a block device`, { exitCode: 125 });
  return numbers(stat.rdev);
}

/** `--privileged`: every device of the host but its terminals, which the container has of its own. */
export function allHostDevices(): Device[] {
  const found: Device[] = [];
  for (const name of readdirSync("/dev")) {
    if (["pts", "shm", "fd", "mqueue", "console", "ptmx", "hugepages"].includes(name)) continue;
    const path = `/dev/${name}`;
    if (lstatSync(path).isSymbolicLink()) continue;
    walk(path, path, found);
  }
  return found;
}
