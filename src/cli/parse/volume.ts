import type { MountRequest } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";
import { parseBytes } from "./bytes.ts";

export const propagations: ReadonlySet<string> = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);

/** A path beneath `cwd` made absolute, "." and ".." resolved by name as Docker's client does. */
export function absolutePath(path: string, cwd: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Volume names become names of directories, so they are as narrow as Docker's. */
export function isVolumeName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);
}

export function isContainerTarget(path: string): boolean {
  return path.startsWith("/") && absolutePath(path, "/") !== "/";
}

/** `-v [HOST-PATH|VOLUME:]TARGET[:OPTIONS]`; a relative host path is beneath `cwd`. */
export function parseVolume(text: string, cwd: string): MountRequest {
  if (text === "") return refuse("invalid empty volume spec");
  const parts = text.split(":");
  if (parts.includes("")) return refuse(`invalid spec: ${text}: empty section between colons`);
  if (parts.length > 3) return refuse(`invalid spec: ${text}: too many colons`);
  const source = parts.length === 1 ? "" : (parts[0] ?? "");
  const target = parts.length === 1 ? (parts[0] ?? "") : (parts[1] ?? "");
  if (!target.startsWith("/")) return refuse(`invalid volume specification: '${text}': invalid mount config: mount path must be absolute: '${target}'`);
  if (!isContainerTarget(target)) return refuse(`invalid volume specification: '${text}': destination can't be '/'`);
  const isPath = /^[/.~]/.test(source);
  if (source.length === 1 && /[a-zA-Z0-9]/.test(source)) return refuse("volume name is too short, names should be at least two alphanumeric characters");
  if (source !== "" && !isPath && !isVolumeName(source)) {
    return refuse(
      `${JSON.stringify(source)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed; a host directory is given by its absolute path`,
    );
  }
  const mount: MountRequest = {
    type: isPath ? "bind" : "volume",
    source: isPath ? absolutePath(source, cwd) : source,
    target: absolutePath(target, "/"),
    readonly: false,
    shorthand: parts[2] ?? "",
  };
  if (isPath) mount.createSource = true;
  const seen = new Set<string>();
  for (const option of parts[2]?.split(",") ?? []) applyVolumeOption(mount, option, text, seen);
  return mount;
}

function applyVolumeOption(mount: MountRequest, option: string, text: string, seen: Set<string>): void {
  const group = option === "ro" || option === "rw" ? "mode" : propagations.has(option) ? "propagation" : option;
  if (seen.has(group)) return refuse(`invalid mode: ${text.split(":")[2] ?? ""}`);
  seen.add(group);
  if (group === "mode") mount.readonly = option === "ro";
  else if (group === "propagation" && mount.type === "bind") mount.propagation = option;
  else if (option === "nocopy" && mount.type === "volume") mount.nocopy = true;
  // Labels for SELinux and the consistency words of Docker Desktop change nothing where there is neither.
  else if (!["z", "Z", "consistent", "cached", "delegated"].includes(option)) return refuse(`invalid mode: ${option}`);
}

/** mount(8) options of tmpfs(5) that may be asked for; the value says whether one is needed. */
const tmpfsOptions: Readonly<Record<string, boolean>> = {
  rw: false, ro: false, exec: false, noexec: false, suid: false, nosuid: false, dev: false, nodev: false, sync: false, async: false,
  atime: false, noatime: false, diratime: false, nodiratime: false, relatime: false, norelatime: false, strictatime: false,
  nr_inodes: true, nr_blocks: true, uid: true, gid: true, mpol: true, huge: true,
};

/** `--tmpfs TARGET[:OPTIONS]`, options as mount(8) spells them. */
export function parseTmpfs(text: string): MountRequest {
  const colon = text.indexOf(":");
  const target = colon === -1 ? text : text.slice(0, colon);
  if (!isContainerTarget(target)) return refuse(`invalid mount path: '${target}' mount path must be absolute and not '/'`);
  const shorthand = colon === -1 ? "" : text.slice(colon + 1);
  const mount: MountRequest = { type: "tmpfs", source: "", target: absolutePath(target, "/"), readonly: false, shorthand };
  const options: string[] = [];
  for (const option of shorthand === "" ? [] : shorthand.split(",")) {
    const [key = "", value] = option.split("=", 2);
    if (key === "size" && value !== undefined) {
      // A percentage of memory is the kernel's to work out.
      if (/^[0-9]+%$/.test(value)) options.push(option);
      else mount.tmpfsSizeBytes = parseBytes(value);
    } else if (key === "mode" && value !== undefined && /^[0-7]{1,4}$/.test(value)) mount.tmpfsMode = Number.parseInt(value, 8);
    else if (key === "ro") mount.readonly = true;
    else if (Object.hasOwn(tmpfsOptions, key) && tmpfsOptions[key] === (value !== undefined)) options.push(option);
    else return refuse(`invalid tmpfs option ${JSON.stringify(option)}`);
  }
  if (options.length > 0) mount.tmpfsOptions = options;
  return mount;
}
