import { capabilityNumber } from "../../linux/capabilities.ts";
import { refuse } from "../flags/flag.ts";

/**
 * One `--security-opt`, given back as "key=value" ("no-new-privileges" may stand alone). The old "key:value" is read too.
 * Whether a seccomp file can be read is found out when the request is built, with every other file.
 */
export function parseSecurityOption(text: string): string {
  const equals = text.indexOf("=");
  const at = equals === -1 ? text.indexOf(":") : equals;
  const key = at === -1 ? text : text.slice(0, at);
  const value = at === -1 ? "" : text.slice(at + 1);
  switch (key) {
    case "no-new-privileges":
      if (at !== -1 && value !== "true" && value !== "false") return refuse(`invalid --security-opt: ${JSON.stringify(text)}`);
      return at === -1 ? key : `${key}=${value}`;
    case "systempaths":
      if (value !== "unconfined") return refuse(`invalid --security-opt: ${JSON.stringify(text)}`);
      return `${key}=${value}`;
    case "seccomp":
    case "apparmor":
    case "label":
      if (value === "") return refuse(`invalid --security-opt: ${JSON.stringify(text)}`);
      return `${key}=${value}`;
    default:
      return refuse(`invalid --security-opt: ${JSON.stringify(text)}`);
  }
}

/** `--cap-add NET_ADMIN`, with or without "CAP_", in any case, or ALL; given back as "CAP_NET_ADMIN". */
export function parseCapability(text: string): string {
  const name = text.trim().toUpperCase();
  if (!/^[A-Z0-9_]+$/.test(name)) return refuse(`unknown capability: ${JSON.stringify(text)}`);
  if (name === "ALL") return name;
  const full = name.startsWith("CAP_") ? name : `CAP_${name}`;
  return capabilityNumber(full) === undefined ? refuse(`unknown capability: ${JSON.stringify(full)}`) : full;
}

export function parseStream(text: string): "stdin" | "stdout" | "stderr" {
  const name = text.toLowerCase();
  return name === "stdin" || name === "stdout" || name === "stderr" ? name : refuse("valid streams are STDIN, STDOUT and STDERR");
}
