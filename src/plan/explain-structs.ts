import { capabilitiesOfMask } from "../linux/capabilities.ts";
import { flagNames, modeName, valueName } from "../linux/flag-names.ts";
import type { Arg } from "./model.ts";
import { Block } from "./model.ts";
import type { Names } from "./explain-names.ts";

/** A view of a block's fields, with what is patched into them at run time. */
class Fields {
  readonly block: Block;
  readonly #names: Names;
  readonly #show: (arg: Arg) => string;
  readonly #view: DataView;

  constructor(block: Block, names: Names, show: (arg: Arg) => string) {
    this.block = block;
    this.#names = names;
    this.#show = show;
    this.#view = new DataView(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength);
  }

  patched(at: number): string | undefined {
    const value = this.#names.patched(this.block, at);
    return value === undefined ? undefined : this.#show(value);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  u64(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  pointer(at: number): Block | string | Uint8Array | undefined {
    return this.block.pointers.find((pointer) => pointer.at === at)?.to;
  }

  /** The text of a pointer, undefined where it is null. */
  string(at: number): string | undefined {
    const to = this.pointer(at);
    return typeof to === "string" ? JSON.stringify(to) : undefined;
  }

  strings(at: number): string | undefined {
    const to = this.pointer(at);
    return to instanceof Block ? strings(to) : undefined;
  }

  cString(at: number): string {
    const { bytes } = this.block;
    const end = bytes.indexOf(0, at);
    return JSON.stringify(new TextDecoder().decode(bytes.subarray(at, end < 0 ? bytes.length : end)));
  }
}

/** `{name=value, …}` of those that have a value. */
function struct(fields: Readonly<Record<string, string | undefined>>): string {
  return `{${Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value ?? ""}`).join(", ")}}`;
}

/** argv and envp: ["sh", "-c", "true"]. */
export function strings(block: Block): string {
  return `[${block.pointers.map(({ to }) => (typeof to === "string" ? JSON.stringify(to) : "?")).join(", ")}]`;
}

function nonZero(value: number | bigint, text: (value: number | bigint) => string): string | undefined {
  return BigInt(value) === 0n ? undefined : text(value);
}

function limit(value: bigint): string {
  return value === 0xffffffffffffffffn ? "RLIM_INFINITY" : String(value);
}

function nanoseconds(value: bigint): string {
  return `${Number(value) / 1e9} s`;
}

function capabilitySets(fields: Fields): string {
  const set = (n: number): bigint => BigInt(fields.u32(n * 4)) | (BigInt(fields.u32(12 + n * 4)) << 32n);
  const text = (mask: bigint): string => (mask === 0n ? "0" : capabilitiesOfMask(mask).join("|"));
  const [effective, permitted, inheritable] = [set(0), set(1), set(2)];
  return effective === permitted
    ? struct({ "effective=permitted": text(effective), inheritable: text(inheritable) })
    : struct({ effective: text(effective), permitted: text(permitted), inheritable: text(inheritable) });
}

function health(block: Block, names: Names, show: (arg: Arg) => string): string {
  const f = new Fields(block, names, show);
  return struct({
    interval: nanoseconds(f.u64(0)), timeout: nanoseconds(f.u64(8)), start_period: nanoseconds(f.u64(16)), retries: String(f.u32(32)),
    plan: f.string(40), log: f.string(48), notify: f.strings(56),
  });
}

function bpfAttributes(f: Fields): string {
  const program = f.pointer(8);
  if (program instanceof Uint8Array)
    return struct({ type: valueName("bpfProgram", f.u32(0)), instructions: String(f.u32(4)), license: f.string(16) });
  return struct({ target: f.patched(0), program: f.patched(4), type: valueName("bpfAttachType", f.u32(8)), flags: flagNames("bpfAttach", f.u32(12)) });
}

/** A structure as people write it: by its label, its fields by name. */
export function structText(block: Block, names: Names, show: (arg: Arg) => string): string {
  const f = new Fields(block, names, show);
  switch (block.label) {
    case "struct clone_args":
      return struct({
        flags: flagNames("clone", f.u64(0)),
        pidfd: f.pointer(8) === undefined ? undefined : "&pidfd",
        exit_signal: valueName("signal", f.u64(32)),
        cgroup: f.patched(80),
      });
    case "struct open_how":
      return struct({
        flags: flagNames("open", f.u64(0)),
        mode: nonZero(f.u64(8), (mode) => modeName(Number(mode))),
        resolve: nonZero(f.u64(16), (resolve) => flagNames("resolve", resolve)),
      });
    case "struct mount_attr":
      return struct({
        attr_set: nonZero(f.u64(0), (set) => flagNames("mountAttr", set)), attr_clr: nonZero(f.u64(8), (set) => flagNames("mountAttr", set)),
        propagation: nonZero(f.u64(16), (set) => flagNames("mount", set)), userns_fd: f.patched(24),
      });
    case "struct sock_fprog":
      return `{${f.u16(0)} instructions}`;
    case "struct __user_cap_header_struct":
      return struct({ version: "_LINUX_CAPABILITY_VERSION_3", pid: String(f.u32(4)) });
    case "struct __user_cap_data_struct[2]":
      return capabilitySets(f);
    case "struct rlimit64":
      return struct({ soft: limit(f.u64(0)), hard: limit(f.u64(8)) });
    case "struct winsize":
      return struct({ rows: String(f.u16(0)), columns: String(f.u16(2)) });
    case "struct ifreq":
      return struct({ name: f.cString(0), flags: f.u16(16) === 0x41 ? "IFF_UP|IFF_RUNNING" : `0x${f.u16(16).toString(16)}` });
    case "struct sockaddr_un":
      return struct({ family: "AF_UNIX", path: f.cString(2) });
    case "struct msghdr": {
      const control = f.pointer(32);
      const sent = control instanceof Block ? names.patched(control, 16) : undefined;
      return sent === undefined ? "{1 byte, room for a descriptor}" : struct({ SCM_RIGHTS: show(sent) });
    }
    case "struct spawn": {
      const input = f.pointer(24);
      return struct({
        path: f.string(0), argv: f.strings(8), envp: f.strings(16),
        stdin: input instanceof Block ? JSON.stringify(new TextDecoder().decode(input.bytes)) : undefined,
        timeout: nonZero(f.u64(40), (ns) => nanoseconds(BigInt(ns))),
      });
    }
    case "struct monitor":
      return monitorText(f, names, show);
    case "union bpf_attr":
      return bpfAttributes(f);
    case "sigset_t":
      return f.u64(0) === 0n ? "[]" : `0x${f.u64(0).toString(16)}`;
    case "gid_t[]":
      return `[${Array.from({ length: block.bytes.length / 4 }, (_, i) => f.u32(i * 4)).join(", ")}]`;
    case "argv":
    case "envp":
      return strings(block);
    case "int":
      return block.bytes.length === 4 || block.bytes.length === 8 ? `&${f.u32(0)}` : "int";
    case "path":
      return `${f.cString(0).slice(0, -1)}<pid>"`;
    case "rtnetlink messages":
      return `<rtnetlink messages, ${block.bytes.length} bytes>`;
    case "":
      return `<${block.bytes.length} bytes>`;
    default:
      return `<${block.label}>`;
  }
}

function monitorText(f: Fields, names: Names, show: (arg: Arg) => string): string {
  const detach = f.pointer(64);
  const healthBlock = f.pointer(104);
  return struct({
    pidfd: f.patched(0), pid: f.patched(4), stdin: f.patched(8), stdout: f.patched(12), stderr: f.patched(16), release: f.patched(20),
    ready: f.patched(24), listener: f.patched(28),
    flags: flagNames("monitor", f.u32(32)), attach: flagNames("streams", f.u32(36)), log: f.string(40),
    log_max: nonZero(f.u64(48), String), log_files: f.string(40) === undefined ? undefined : String(f.u32(56)),
    detach: detach instanceof Uint8Array && !(detach instanceof Block) ? `[${[...detach].join(" ")}]` : undefined,
    status: f.string(72), finalize: f.strings(88), environ: f.strings(96), health: healthBlock instanceof Block ? health(healthBlock, names, show) : undefined,
  });
}
