import { Block, stringArray } from "../plan/index.ts";
import type { Call } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import type { AttachedStreams, HealthPlan, MonitorPlan } from "./launch.ts";

const TTY = 1;
const STDIN_ONCE = 2;
const DURABLE = 4;
const DETACHED = 8;
const KEEP_STDIN = 16;
const NONE = 0xffffffff;

export interface MonitorFds {
  readonly pid: Call;
  readonly pidfd: Fd;
  readonly release: Fd;
  readonly ready: Fd;
  readonly stdin: Fd | undefined;
  readonly stdout: Fd | undefined;
  readonly stderr: Fd | undefined;
  readonly terminal: boolean;
  /** Descriptors that are held until the container has ended. */
  readonly held?: { readonly block: Block; readonly count: number } | undefined;
}

/** As the monitor takes it, in its own structure and from clients (native/keel/monitor.c). */
export function attachMask({ stdin, stdout, stderr, leaves }: AttachedStreams): number {
  return (stdin ? 1 : 0) | (stdout ? 2 : 0) | (stderr ? 4 : 0) | (leaves ? 8 : 0);
}

function healthBlock(health: HealthPlan): Block {
  const ns = (milliseconds: number): bigint => BigInt(Math.round(milliseconds)) * 1_000_000n;
  const block = new Block(64, "struct health")
    .u64(0, ns(health.intervalMs)).u64(8, ns(health.timeoutMs)).u64(16, ns(health.startPeriodMs)).u64(24, ns(health.startIntervalMs))
    .u32(32, health.retries).pointer(40, health.plan).pointer(48, health.log);
  if (health.notify.length > 0) block.pointer(56, stringArray(health.notify, "argv"));
  return block;
}

/** The attach socket is bound by a short name through its directory: a socket's path is at most 107 bytes (unix(7)). */
function listen(context: Pick<Context, "outer" | "where">, path: string): Call {
  const { outer, where } = context;
  const what = `make the attach socket ${where}`;
  const slash = path.lastIndexOf("/");
  const directory = outer.call("openat", [C.AT_FDCWD, path.slice(0, slash), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
    what,
    why: "the container's run directory",
  });
  const address = new Block(110, "struct sockaddr_un").u16(0, C.AF_UNIX);
  const prefix = "/proc/self/fd/";
  address.bytes.set(new TextEncoder().encode(prefix), 2);
  const name = path.slice(slash + 1);
  outer.call("fchdir", [directory], { what, why: "a relative name is short" });
  address.bytes.fill(0, 2).set(new TextEncoder().encode(name), 2);
  const socket = outer.call("socket", [C.AF_UNIX, C.SOCK_SEQPACKET | C.SOCK_CLOEXEC, 0], { what, why: "clients of `attach` come here" });
  outer.call("bind", [socket, address, 2 + name.length + 1], { what, why: path });
  outer.call("listen", [socket, 16], { what, why: "up to 16 may wait" });
  outer.call("chdir", ["/"], { what, why: "the monitor keeps no directory busy" });
  outer.call("close", [directory], { what, why: "done with it" });
  return socket;
}

/** What "code signal time" and a newline take (native/keel/monitor.c). */
const STATUS_BYTES = 39;

/** The monitor writes how it ended over these bytes: where the room is taken beforehand, a filesystem that is full by then loses no exit code. */
function reserveStatus({ outer, where }: Pick<Context, "outer" | "where">, path: string): void {
  const what = `keep room for the exit status ${where}`;
  const file = outer.call("openat", [C.AT_FDCWD, path, C.O_WRONLY | C.O_CREAT | C.O_CLOEXEC, 0o600], { what, why: "the monitor renames it when it is true" });
  outer.call("write", [file, "\n".repeat(STATUS_BYTES), STATUS_BYTES], {
    what,
    why: "so that a full disk is told now, and not by a lost exit code",
    expect: STATUS_BYTES,
  });
  outer.call("close", [file], { what, why: "done with it" });
}

/** keel's outer side becomes the container's monitor (native/keel/monitor.c). */
export function handOver(context: Pick<Context, "outer" | "where">, monitor: MonitorPlan, fds: MonitorFds): void {
  const { outer, where } = context;
  const socket = monitor.socket === undefined ? undefined : listen(context, monitor.socket);
  if (monitor.socket === undefined) outer.call("chdir", ["/"], { what: "leave the caller's directory", why: "the monitor keeps no directory busy" });
  if (monitor.status) reserveStatus(context, `${monitor.status.path}.tmp`);
  outer.stage("monitor");
  const { attach } = monitor;
  const flags = (fds.terminal ? TTY : 0) | (monitor.stdinOnce ? STDIN_ONCE : 0) | (monitor.status?.durable ? DURABLE : 0)
    | (monitor.detached ? DETACHED : 0) | (monitor.openStdin ? KEEP_STDIN : 0);
  const block = new Block(128, "struct monitor")
    .u32(8, NONE).u32(12, NONE).u32(16, NONE).u32(28, NONE)
    .u32(32, flags).u32(36, attachMask(attach))
    .u64(48, monitor.log?.maxBytes ?? 0).u32(56, monitor.log?.maxFiles ?? 1).u32(60, monitor.detachKeys.length);
  if (monitor.log) block.pointer(40, monitor.log.path);
  if (monitor.detachKeys.length > 0) block.pointer(64, monitor.detachKeys);
  if (monitor.status) block.pointer(72, monitor.status.path).pointer(80, `${monitor.status.path}.tmp`);
  if (monitor.finalize.length > 0) block.pointer(88, stringArray(monitor.finalize, "argv"));
  block.pointer(96, stringArray(monitor.environment, "envp"));
  if (monitor.health) block.pointer(104, healthBlock(monitor.health));
  if (fds.held) block.pointer(112, fds.held.block).u32(120, fds.held.count);
  const fields: readonly (readonly [number, Fd | undefined, string])[] = [
    [0, fds.pidfd, "the container's pidfd"], [4, fds.pid, "its pid"], [8, fds.stdin, "its standard input"], [12, fds.stdout, "its standard output"],
    [16, fds.stderr, "its standard error"], [20, fds.release, "the byte that lets it go"], [24, fds.ready, "the end that closes at execve"],
    [28, socket, "the attach socket"],
  ];
  for (const [offset, fd, why] of fields) if (fd !== undefined) outer.patch(block, offset, fd, "u32", { why });
  outer.monitor(block, { what: `monitor ${where}`, why: "keel stays: it pumps output to the log and to clients, and writes down how it ended" });
}
