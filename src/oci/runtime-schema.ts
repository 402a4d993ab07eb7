/** The shape of config.json for Linux (runtime-spec 1.3, config.md and config-linux.md), as data for a checker. */
export type Shape =
  | { readonly kind: "string" | "boolean" }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  /** `exact`: kept as bigint beyond 2^53. */
  | { readonly kind: "integer"; readonly min: number; readonly max: number; readonly exact?: boolean }
  | { readonly kind: "array" | "map"; readonly of: Shape }
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, Shape>>; readonly required: readonly string[] }
  | { readonly kind: "any" };

const text: Shape = { kind: "string" };
const flag: Shape = { kind: "boolean" };
const I64 = 2 ** 63;
const U64 = 2 ** 64;

const integer = (min: number, max: number): Shape => ({ kind: "integer", min, max });
const list = (of: Shape): Shape => ({ kind: "array", of });
const map = (of: Shape): Shape => ({ kind: "map", of });
/** Names that end in "!" are required. */
const object = (fields: Readonly<Record<string, Shape>>): Shape => ({
  kind: "object",
  fields: Object.fromEntries(Object.entries(fields).map(([name, shape]) => [name.replace("!", ""), shape])),
  required: Object.keys(fields).filter((name) => name.endsWith("!")).map((name) => name.slice(0, -1)),
});

const u32 = (): Shape => integer(0, 2 ** 32 - 1);
const u16 = (): Shape => integer(0, 65535);
const u64 = (): Shape => integer(0, U64);
const i64 = (): Shape => integer(-I64, I64);
const exact = (): Shape => ({ kind: "integer", min: 0, max: U64, exact: true });

function hooks(): Shape {
  const hook = list(object({ "path!": text, args: list(text), env: list(text), timeout: integer(1, I64) }));
  return object({ prestart: hook, createRuntime: hook, createContainer: hook, startContainer: hook, poststart: hook, poststop: hook });
}

function processShape(): Shape {
  const names = list(text);
  return object({
    terminal: flag, consoleSize: object({ "height!": u64(), "width!": u64() }), "cwd!": text, env: names, args: names, commandLine: text,
    rlimits: list(object({ "type!": text, "soft!": exact(), "hard!": exact() })), apparmorProfile: text, selinuxLabel: text,
    capabilities: object({ bounding: names, effective: names, inheritable: names, permitted: names, ambient: names }),
    noNewPrivileges: flag, oomScoreAdj: integer(-1000, 1000),
    scheduler: object({
      "policy!": text, nice: integer(-20, 19), priority: integer(-I64, I64), flags: names, runtime: u64(), deadline: u64(), period: u64(),
    }),
    ioPriority: object({ "class!": { kind: "enum", values: ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"] }, priority: integer(0, 7) }),
    execCPUAffinity: object({ initial: text, final: text }),
    user: object({ uid: u32(), gid: u32(), umask: u32(), additionalGids: list(u32()), username: text }),
  });
}

function resources(): Shape {
  const throttle = list(object({ "major!": i64(), "minor!": i64(), "rate!": u64() }));
  return object({
    devices: list(object({ "allow!": flag, type: text, major: i64(), minor: i64(), access: text })),
    memory: object({
      limit: i64(), reservation: i64(), swap: i64(), kernel: i64(), kernelTCP: i64(), swappiness: integer(0, U64), disableOOMKiller: flag,
      useHierarchy: flag, checkBeforeUpdate: flag,
    }),
    cpu: object({
      shares: u64(), quota: i64(), burst: u64(), period: u64(), realtimeRuntime: i64(), realtimePeriod: u64(), cpus: text, mems: text, idle: i64(),
    }),
    pids: object({ limit: i64() }),
    blockIO: object({
      weight: u16(), leafWeight: u16(), weightDevice: list(object({ "major!": i64(), "minor!": i64(), weight: u16(), leafWeight: u16() })),
      throttleReadBpsDevice: throttle, throttleWriteBpsDevice: throttle, throttleReadIOPSDevice: throttle, throttleWriteIOPSDevice: throttle,
    }),
    hugepageLimits: list(object({ "pageSize!": text, "limit!": u64() })),
    network: object({ classID: u32(), priorities: list(object({ "name!": text, "priority!": u32() })) }),
    rdma: map(object({ hcaHandles: u32(), hcaObjects: u32() })),
    unified: map(text),
  });
}

function seccomp(): Shape {
  return object({
    "defaultAction!": text, defaultErrnoRet: u32(), architectures: list(text), flags: list(text), listenerPath: text, listenerMetadata: text,
    syscalls: list(object({
      "names!": list(text), "action!": text, errnoRet: u32(),
      args: list(object({ "index!": u32(), "value!": exact(), valueTwo: exact(), "op!": text })),
    })),
  });
}

const mappings = (): Shape => list(object({ "containerID!": u32(), "hostID!": u32(), "size!": u32() }));

function linux(): Shape {
  return object({
    namespaces: list(object({
      "type!": { kind: "enum", values: ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] }, path: text,
    })),
    uidMappings: mappings(), gidMappings: mappings(),
    timeOffsets: map(object({ secs: i64(), nanosecs: u32() })),
    devices: list(object({ "type!": text, "path!": text, major: i64(), minor: i64(), fileMode: integer(0, 0o177777), uid: u32(), gid: u32() })),
    netDevices: map(object({ name: text })),
    cgroupsPath: text, resources: resources(),
    intelRdt: { kind: "any" },
    memoryPolicy: object({ "mode!": text, nodes: text, flags: list(text) }),
    sysctl: map(text), seccomp: seccomp(),
    rootfsPropagation: { kind: "enum", values: ["", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"] },
    maskedPaths: list(text), readonlyPaths: list(text), mountLabel: text,
    personality: object({ "domain!": text, flags: list(text) }),
  });
}

export function runtimeConfigShape(): Shape {
  return object({
    "ociVersion!": text,
    root: object({ "path!": text, readonly: flag }),
    mounts: list(object({ "destination!": text, type: text, source: text, options: list(text), uidMappings: mappings(), gidMappings: mappings() })),
    process: processShape(), hostname: text, domainname: text, hooks: hooks(), annotations: map(text), linux: linux(),
  });
}

export function processConfigShape(): Shape {
  return processShape();
}

export function resourcesShape(): Shape {
  return resources();
}
