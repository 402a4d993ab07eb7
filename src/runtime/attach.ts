import * as C from "../linux/constants.ts";
import { Block, Plan } from "../plan/index.ts";
import type { AttachedStreams } from "./launch.ts";
import { attachMask } from "./monitor-steps.ts";

export interface AttachLaunch {
  /** What messages call the container: its name. */
  readonly name: string;
  /** Path of its attach socket. */
  readonly socket: string;
  /** Which of keel's own streams become the container's. */
  readonly attach: AttachedStreams;
  /** Signals of the caller's terminal are passed on. */
  readonly sigProxy: boolean;
}

/**
 * Compiles an attach: keel connects to the container's monitor, hands it the caller's streams, and stays as a front that
 * passes signals and window sizes on and hears how it ended (accept_client in native/keel/monitor.c). Pure.
 */
export function compileAttach({ name, socket: path, attach, sigProxy }: AttachLaunch): Plan {
  const plan = new Plan();
  const { outer } = plan;
  const what = `attach to container "${name}"`;
  outer.stage("attach");
  if (!sigProxy) outer.call("setpgid", [0, 0], { what, why: "Ctrl-C is for the caller alone" });
  const slash = path.lastIndexOf("/");
  const file = path.slice(slash + 1);
  const directory = outer.call("openat", [C.AT_FDCWD, path.slice(0, slash), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "its run directory" });
  outer.call("fchdir", [directory], { what, why: "a socket's path is at most 107 bytes (unix(7)): a name in a directory is short" });
  const socket = outer.call("socket", [C.AF_UNIX, C.SOCK_SEQPACKET | C.SOCK_CLOEXEC, 0], { what, why: "messages keep their borders" });
  const address = new Block(110, "struct sockaddr_un").u16(0, C.AF_UNIX);
  address.bytes.set(new TextEncoder().encode(file), 2);
  outer.call("connect", [socket, address, 2 + file.length + 1], { what, why: path });
  outer.call("chdir", ["/"], { what, why: "no directory is kept busy" });
  outer.call("close", [directory], { what, why: "done with it" });
  const mask = new Block(8, "u32").u32(0, attachMask(attach));
  const vector = new Block(16, "struct iovec").pointer(0, mask).u64(8, 4);
  const control = new Block(32, "struct cmsghdr").u64(0, 28).u32(8, C.SOL_SOCKET).u32(12, C.SCM_RIGHTS).u32(16, 0).u32(20, 1).u32(24, 2);
  const header = new Block(56, "struct msghdr").pointer(16, vector).u64(24, 1).pointer(32, control).u64(40, 32);
  outer.call("sendmsg", [socket, header, 0], { what, why: "which streams, and the streams themselves", expect: 4 });
  outer.front(socket, { what, why: "until the container ends or the person leaves" });
  return plan;
}
