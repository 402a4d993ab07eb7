import { capabilityName } from "../linux/capabilities.ts";
import { deviceName, flagNames, modeName, valueName } from "../linux/flag-names.ts";
import type { Names } from "./explain-names.ts";
import { isCall } from "./explain-names.ts";
import { structText } from "./explain-structs.ts";
import type { Arg, Call } from "./model.ts";
import { Block } from "./model.ts";
import type { Parameter } from "./signatures.ts";

const PR_SET_PDEATHSIG = 1n;
const PR_CAPBSET_DROP = 24n;
const PR_CAP_AMBIENT = 47n;
const MINUS_ONE = 0xffffffffn;

/** An argument whose parameter says nothing more about it. */
export function plainText(arg: Arg, names: Names): string {
  if (arg === null) return "NULL";
  if (typeof arg === "number" || typeof arg === "bigint") return String(arg);
  if (typeof arg === "string") return JSON.stringify(arg);
  if (arg instanceof Block) return structText(arg, names, (inner) => plainText(inner, names));
  if (arg instanceof Uint8Array) return `<${arg.length} bytes>`;
  if ("load32" in arg) return names.loaded(arg);
  if ("out" in arg) return `<back to the engine at ${arg.out}>`;
  if ("register" in arg) return `r${arg.register}`;
  return isCall(arg) ? names.reference(arg) : "?";
}

function prctlArgument(call: Call, n: number, value: bigint): string {
  const option = call.args[0];
  const code = typeof option === "number" || typeof option === "bigint" ? BigInt(option) : undefined;
  if (code === PR_SET_PDEATHSIG && n === 1) return valueName("signal", value);
  if (code === PR_CAPBSET_DROP && n === 1) return capabilityName(Number(value)) ?? `capability ${value}`;
  if (code === PR_CAP_AMBIENT && n === 1) return valueName("ambient", value);
  if (code === PR_CAP_AMBIENT && n === 2) return capabilityName(Number(value)) ?? `capability ${value}`;
  return String(value);
}

function numberText(call: Call, n: number, value: bigint, kind: string): string {
  switch (kind) {
    case "dirfd":
      return value === -100n ? "AT_FDCWD" : String(value);
    case "mode":
      return modeName(Number(value));
    case "device":
      return deviceName(Number(value));
    case "id":
      return value === MINUS_ONE ? "-1" : String(value);
    case "last":
      return value === MINUS_ONE ? "~0" : String(value);
    case "socktype": {
      const type = value & 0xfn;
      const flags = value & ~0xfn;
      return flags === 0n ? valueName("socket", type) : `${valueName("socket", type)}|${flagNames("socketType", flags)}`;
    }
    case "prctl":
      return valueName("prctl", value);
    case "prctlarg":
    case "rest":
      return prctlArgument(call, n, value);
    case "any":
      return call.name === "ioctl" && value > 0xffn ? flagNames("open", value) : String(value);
    default:
      if (kind.startsWith("=")) return flagNames(kind.slice(1), value);
      return kind.startsWith("@") ? valueName(kind.slice(1), value) : String(value);
  }
}

/** An argument by what its parameter is. */
export function argumentText(call: Call, n: number, arg: Arg, parameter: Parameter | undefined, names: Names): string {
  const kind = parameter?.kind ?? "any";
  if (typeof arg === "number" || typeof arg === "bigint") return numberText(call, n, BigInt(arg), kind);
  if (arg instanceof Block) {
    if (kind === "ends") return call.name === "pipe2" ? "[read, write]" : "[a, b]";
    if (kind === "buffer") return `<room for ${arg.bytes.length} bytes>`;
    if (kind === "groups" && call.args[0] === 0) return "[]";
  }
  return plainText(arg, names);
}
