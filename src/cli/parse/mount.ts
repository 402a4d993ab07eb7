import type { MountRequest } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";
import { parseBytes } from "./bytes.ts";
import { parseCsvLine } from "./csv.ts";
import { cutAtEquals } from "./key-value.ts";
import { absolutePath, isContainerTarget, isVolumeName, propagations } from "./volume.ts";

/** Options that may stand without "=true". */
const switches = new Set(["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"]);

function parseSwitch(key: string, value: string | undefined): boolean {
  if (value === undefined || value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
  return refuse(`invalid value for '${key}': invalid boolean value (${JSON.stringify(value)}): must be one of "true", "1", "false", or "0"`);
}

/** `--mount type=bind|volume|tmpfs,source=…,target=…,readonly,…`; a source that starts with "." is beneath `cwd`. */
export function parseMount(text: string, cwd: string): MountRequest {
  if (text.trim() === "") return refuse("value is empty");
  const mount: MountRequest = { type: "volume", source: "", target: "", readonly: false };
  const kinds = new Set<"bind" | "volume" | "tmpfs">();
  for (const field of parseCsvLine(text.trim())) {
    const [rawKey, value] = cutAtEquals(field);
    const key = rawKey.toLowerCase();
    if (rawKey !== rawKey.trim()) return refuse(`invalid option '${rawKey.trim()}' in '${field}': option should not have whitespace`);
    if (value !== undefined && value.trim() === "") return refuse(`invalid value for '${key}': value is empty`);
    if (value !== undefined && value !== value.trim()) return refuse(`invalid value for '${key}' in '${field}': value should not have whitespace`);
    if (value === undefined && !switches.has(key)) return refuse(`invalid field '${field}' must be a key=value pair`);
    const prefix = /^(bind|volume|tmpfs)-/.exec(key)?.[1];
    if (prefix === "bind" || prefix === "volume" || prefix === "tmpfs") kinds.add(prefix);
    applyOption(mount, key, value, field, cwd);
  }
  for (const kind of kinds) if (kind !== mount.type) return refuse(`cannot mix '${kind}-*' options with mount type '${mount.type}'`);
  return validated(mount);
}

function applyOption(mount: MountRequest, key: string, value: string | undefined, field: string, cwd: string): void {
  const text = value ?? "";
  switch (key) {
    case "type":
      mount.type = parseType(text);
      return;
    case "source":
    case "src":
      mount.source = text.startsWith(".") ? absolutePath(text, cwd) : text;
      return;
    case "target":
    case "dst":
    case "destination":
      mount.target = text;
      return;
    case "readonly":
    case "ro":
      mount.readonly = parseSwitch(key, value);
      return;
    case "consistency":
      return;
    case "bind-propagation":
      if (!propagations.has(text.toLowerCase())) return refuse(`invalid value for ${key}: ${text}`);
      mount.propagation = text.toLowerCase();
      return;
    case "bind-nonrecursive":
      mount.nonrecursive = parseSwitch(key, value);
      return;
    case "bind-recursive":
      if (text === "disabled") mount.nonrecursive = true;
      else if (text !== "enabled") return refuse(`invalid value for ${key}: ${text} (must be "enabled" or "disabled")`);
      return;
    case "bind-create-src":
      mount.createSource = parseSwitch(key, value);
      return;
    case "volume-nocopy":
      mount.nocopy = parseSwitch(key, value);
      return;
    case "volume-subpath":
      if (text.startsWith("/") || text.split("/").includes("..")) return refuse(`invalid value for ${key}: ${text} (must stay inside the volume)`);
      mount.subpath = text;
      return;
    case "volume-driver":
      if (text !== "local") return refuse(`invalid value for ${key}: ${text} (the only volume driver is "local")`);
      return;
    case "volume-opt":
    case "volume-label": {
      const [name, setting] = cutAtEquals(text);
      if (name === "") return refuse(`invalid value for ${key}: ${text}`);
      if (key === "volume-opt") mount.volumeOptions = { ...mount.volumeOptions, [name]: setting ?? "" };
      else mount.volumeLabels = { ...mount.volumeLabels, [name]: setting ?? "" };
      return;
    }
    case "tmpfs-size":
      mount.tmpfsSizeBytes = parseBytes(text);
      return;
    case "tmpfs-mode":
      if (!/^[0-7]{1,4}$/.test(text)) return refuse(`invalid value for ${key}: ${text}`);
      mount.tmpfsMode = Number.parseInt(text, 8);
      return;
    default:
      return refuse(`unknown option '${key}' in '${field}'`);
  }
}

function parseType(text: string): MountRequest["type"] {
  const type = text.toLowerCase();
  if (type === "bind" || type === "volume" || type === "tmpfs") return type;
  return refuse(`invalid mount type: ${JSON.stringify(text)} (use "bind", "volume" or "tmpfs")`);
}

function validated(mount: MountRequest): MountRequest {
  if (mount.target === "") return refuse("target is required");
  if (!mount.target.startsWith("/")) return refuse(`invalid mount path: '${mount.target}' mount path must be absolute`);
  if (!isContainerTarget(mount.target)) return refuse("invalid specification: destination can't be '/'");
  if (mount.type === "bind") {
    if (mount.source === "") return refuse("source is required for a bind mount");
    if (!mount.source.startsWith("/")) return refuse(`invalid mount path: '${mount.source}' mount path must be absolute`);
  } else if (mount.type === "tmpfs") {
    if (mount.source !== "") return refuse("a tmpfs mount takes no source");
  } else if (mount.source !== "" && !isVolumeName(mount.source)) {
    return refuse(`${JSON.stringify(mount.source)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
  }
  return { ...mount, target: absolutePath(mount.target, "/") };
}
