import { SampanError } from "../../base/errors.ts";

export interface Unit {
  /** "sampan-oci-web.scope". */
  readonly name: string;
  readonly slice: string;
  /** Beneath each hierarchy: "/system.slice/sampan-oci-web.scope". */
  readonly path: string;
}

function fail(asked: string, reason: string): never {
  throw new SampanError("invalid", `Cannot use cgroup path "${asked}": ${reason}`);
}

/** "a-b.slice" is within "a.slice": "/a.slice/a-b.slice" (systemd.slice(5)). */
export function expandSlice(slice: string): string {
  const name = slice.replace(/\.slice$/, "");
  if (!slice.endsWith(".slice") || name === "" || slice.includes("/")) fail(slice, "invalid slice name: it ends with \".slice\" and has no \"/\"");
  if (name === "-") return "";
  const parts = name.split("-");
  if (parts.includes("")) fail(slice, "invalid slice name: a dash stands between two names");
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("-")}.slice`).join("");
}

/** linux.cgroupsPath as the systemd driver has it, "slice:prefix:name", each of which may be left to us. */
export function unitOf(asked: string, id: string): Unit {
  const parts = asked === "" ? ["", "sampan-oci", id] : asked.split(":");
  if (parts.length !== 3) fail(asked, 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups');
  const [slice = "", prefix = "", last = ""] = parts;
  if (last === "" || /[^A-Za-z0-9:_.\\@-]/.test(prefix + last)) fail(asked, "its last part is no name of a unit");
  const within = slice === "" ? "system.slice" : slice;
  const name = last.endsWith(".slice") ? last : `${prefix === "" ? "" : `${prefix}-`}${last}.scope`;
  return { name, slice: within, path: last.endsWith(".slice") ? expandSlice(last) : `${expandSlice(within)}/${name}` };
}
