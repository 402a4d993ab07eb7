import { SampanError } from "../../base/errors.ts";
import type { DeviceLimit } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";
import { parseBytes } from "./bytes.ts";

/** `--device-read-bps PATH:RATE` and its like, the rate with a unit. */
export function parseBytesPerSecond(text: string): DeviceLimit {
  const [path, rate] = devicePath(text);
  try {
    return { path, value: parseBytes(rate) };
  } catch (error) {
    if (!(error instanceof SampanError) || error.kind !== "invalid") throw error;
    return refuse(`invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`);
  }
}

/** `--device-read-iops PATH:RATE` and its like. */
export function parseOperationsPerSecond(text: string): DeviceLimit {
  const [path, rate] = devicePath(text);
  const value = /^[0-9]+$/.test(rate) ? Number(rate) : NaN;
  if (!Number.isSafeInteger(value))
    return refuse(`invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`);
  return { path, value };
}

/** `--blkio-weight-device PATH:WEIGHT`. */
export function parseDeviceWeight(text: string): DeviceLimit {
  const [path, weight] = devicePath(text);
  const value = /^[0-9]+$/.test(weight) ? Number(weight) : NaN;
  if (!(value === 0 || (value >= 10 && value <= 1000))) return refuse(`invalid weight for device: ${text}`);
  return { path, value };
}

function devicePath(text: string): [path: string, value: string] {
  const colon = text.indexOf(":");
  const path = text.slice(0, Math.max(0, colon));
  if (path === "") return refuse(`bad format: ${text}`);
  if (!path.startsWith("/dev/")) return refuse(`bad format for device path: ${text}`);
  return [path, text.slice(colon + 1)];
}
