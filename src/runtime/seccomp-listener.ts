import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd, Pipe } from "./context.ts";
import type { HookState } from "./hooks.ts";
import { addPipe, sendByte } from "./stdio.ts";

const PID_ROOM = " ".repeat(10);

/**
 * The seccomp listener, from the process that has it to the agent. The process may not be able to send it itself, since
 * its filter is in force already: it writes the descriptor's number, and the outer side takes a copy (pidfd_getfd(2)).
 */
export function tellListener(inner: Line, { number: pipe, taken }: ListenerPipes, listener: Call, where: string): void {
  const number = new Block(4, "int");
  const what = `hand over the seccomp listener ${where}`;
  inner.patch(number, 0, listener, "u32", { why: "its number here" });
  inner.call("write", [pipe.write, number, 4], { what, why: "the outside takes it from here", expect: 4 });
  inner.call("read", [taken.read, new Block(8, "char"), 1], { what, why: "execve would close it before the outside has it", expect: 1, waits: true });
}

/** The number goes one way, and word that the outside has the descriptor goes back. */
export interface ListenerPipes {
  readonly number: Pipe;
  readonly taken: Pipe;
}

export function addListenerPipes(outer: Line): ListenerPipes {
  return { number: addPipe(outer, "the number of the listener"), taken: addPipe(outer, "the listener has been taken") };
}

export interface ListenerTarget {
  readonly socket: Fd;
  readonly state: HookState;
  readonly metadata: string | undefined;
}

/** Sends the listener with the container process state (runtime-spec config-linux.md "containerProcessState"). */
export function sendListener(outer: Line, { number: pipe, taken }: ListenerPipes, pidfd: Fd, pid: Call, target: ListenerTarget, where: string): void {
  const what = `send the seccomp listener ${where}`;
  const number = new Block(8, "int");
  outer.call("read", [pipe.read, number, 4], { what, why: "its number in the process", expect: 4, waits: true });
  const fd = outer.call("pidfd_getfd", [pidfd, { load32: number, offset: 0 }, 0], { what, why: "a copy of it" });
  sendByte(outer, taken.write, what, "it may go on");
  const { ociVersion, id, bundle, annotations } = target.state;
  const head = `{"ociVersion":${JSON.stringify(ociVersion)},"fds":["seccompFd"],"pid":`;
  const middle = `,"metadata":${JSON.stringify(target.metadata ?? "")},"state":{"pid":`;
  const tail = `,${JSON.stringify({ ociVersion, id, status: "creating", bundle, ...(annotations ? { annotations } : {}) }).slice(1)}}`;
  const text = new Block(new TextEncoder().encode(head + PID_ROOM + middle + PID_ROOM + tail), "containerProcessState");
  const first = Buffer.byteLength(head);
  outer.patch(text, first, pid, "padded", { why: "the container's process" });
  outer.patch(text, first + PID_ROOM.length + Buffer.byteLength(middle), pid, "padded", { why: "and once more in the state" });
  const vector = new Block(16, "struct iovec").pointer(0, text).u64(8, text.bytes.length);
  const control = new Block(24, "struct cmsghdr").u64(0, 20).u32(8, C.SOL_SOCKET).u32(12, C.SCM_RIGHTS);
  const header = new Block(56, "struct msghdr").pointer(16, vector).u64(24, 1).pointer(32, control).u64(40, 24);
  outer.patch(control, 16, fd, "u32", { why: "the listener" });
  outer.call("sendmsg", [target.socket, header, 0], { what, why: "the agent answers the program's calls from here on", expect: text.bytes.length });
  outer.call("close", [fd], { what, why: "the agent has it" });
  outer.call("close", [target.socket], { what, why: "one message is all" });
}
