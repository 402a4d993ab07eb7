import { SampanError } from "../../base/errors.ts";
import type { VolumeRecord } from "../../storage/state/index.ts";
import type { VolumeDetails } from "../api.ts";
import type { Paths } from "../paths.ts";

/** Docker marks volumes that were made without a name by this label. */
export const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

/**
 * A volume's directory: `_data` is its content; `_fill` and `_fill.new` exist while an image's content is copied into it.
 * The name has been checked when the volume was made, and is checked again: what is built from it gets removed one day.
 */
export function volumeDirectory(paths: Paths, name: string): string {
  if (!isName(name)) throw new SampanError("invalid", nameProblem(name));
  return `${paths.volumes}/${name}`;
}

/** Where volumes are moved to be removed: no volume's name begins with a dot. */
export function trashDirectory(paths: Paths): string {
  return `${paths.volumes}/.trash`;
}

export function isName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 255;
}

/** Docker's words. */
export function nameProblem(name: string): string {
  if (name.length === 1) return "volume name is too short, names should be at least two alphanumeric characters";
  if (name.length > 255) return `${JSON.stringify(`${name.slice(0, 40)}…`)} is too long for a volume name: a name has at most 255 characters`;
  return `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
}

/** What a volume is, by its driver's options: a directory of ours, another one of the host's, or memory. */
export type VolumeKind =
  | { readonly kind: "directory" }
  | { readonly kind: "bind"; readonly device: string; readonly readonly: boolean; readonly recursive: boolean }
  | { readonly kind: "tmpfs"; readonly options: readonly string[]; readonly readonly: boolean };

/**
 * The local driver's options `type`, `o` and `device`, as mount(8) has them. Throws SampanError: "invalid" in Docker's words,
 * "unsupported" for filesystems that would have to be mounted on the host, which Sampan never does.
 */
export function volumeKind(options: Readonly<Record<string, string>>): VolumeKind {
  if (Object.keys(options).length === 0) return { kind: "directory" };
  const unknown = Object.keys(options).find((key) => !["type", "o", "device", "size"].includes(key));
  if (unknown !== undefined)
    throw new SampanError("invalid", `invalid option: ${JSON.stringify(unknown)}`, { hint: "The local driver takes type, o and device" });
  if (options["size"] !== undefined)
    throw new SampanError(
      "unsupported",
      "quota size requested but no quota support",
      { hint: "A bounded volume in memory: --opt type=tmpfs --opt device=tmpfs --opt o=size=64m" },
    );
  const { type = "", o = "", device = "" } = options;
  if (device === "") throw new SampanError("invalid", `missing required option: "device"`);
  const words = o.split(",").filter((word) => word !== "");
  if (type === "tmpfs") return tmpfsKind(words);
  const isBind = words.includes("bind") || words.includes("rbind");
  if (!isBind) {
    if (type === "") throw new SampanError("invalid", `missing required option: "type"`);
    throw new SampanError(
      "unsupported",
      `Cannot use a volume of type ${JSON.stringify(type)}: local volumes are directories, binds (type=none, o=bind) and tmpfs`,
      { hint: `Mount it on the host and bind it: --opt type=none --opt o=bind --opt device=/mnt/…` },
    );
  }
  if (type !== "" && type !== "none" && type !== "bind") throw new SampanError("invalid", `invalid option: type ${JSON.stringify(type)} cannot be a bind`);
  if (!device.startsWith("/")) throw new SampanError("invalid", `invalid option: device ${JSON.stringify(device)} must be an absolute path`);
  const wrong = words.find((word) => !["bind", "rbind", "ro", "rw"].includes(word));
  if (wrong !== undefined) throw new SampanError("unsupported", `Cannot use option ${JSON.stringify(wrong)} of a bind: only bind, rbind, ro and rw`);
  return { kind: "bind", device, readonly: words.includes("ro"), recursive: words.includes("rbind") };
}

const FLAGS = new Set(["rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "relatime"]);

function tmpfsKind(words: readonly string[]): VolumeKind {
  for (const word of words)
    if (!FLAGS.has(word) && !/^(size=\d+[kmgKMG%]?|mode=[0-7]{1,4}|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|nr_blocks=\d+[kmg]?)$/.test(word))
      throw new SampanError("invalid", `invalid option: ${JSON.stringify(word)} is none of tmpfs's`);
  return { kind: "tmpfs", options: words, readonly: words.includes("ro") };
}

/** Docker's `volume inspect`. */
export function volumeDetails({ name, driver, labels, options, mountpoint, createdMs }: VolumeRecord): VolumeDetails {
  const orNull = (map: Readonly<Record<string, string>>): Record<string, string> | null => (Object.keys(map).length === 0 ? null : { ...map });
  return {
    CreatedAt: new Date(createdMs).toISOString().replace(/\.\d+Z$/, "Z"), Driver: driver, Labels: orNull(labels), Mountpoint: mountpoint,
    Name: name, Options: orNull(options), Scope: "local",
  };
}
