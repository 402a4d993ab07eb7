import { Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd, Pipe } from "./context.ts";
import { attach, cloneTree } from "./mounts.ts";
import { makeInRoot } from "./resolve.ts";

/** pipe2(2): both ends vanish at execve. */
export function addPipe(line: Line, why: string): Pipe {
  const ends = new Block(8, "int[2]");
  line.call("pipe2", [ends, C.O_CLOEXEC], { what: "make a pipe", why });
  return { read: { load32: ends, offset: 0 }, write: { load32: ends, offset: 4 } };
}

/** A pair of connected unix sockets, for a descriptor to travel over. */
export function addSocketPair(line: Line, why: string): Pipe {
  const ends = new Block(8, "int[2]");
  line.call("socketpair", [C.AF_UNIX, C.SOCK_SEQPACKET | C.SOCK_CLOEXEC, 0, ends], { what: "make a socket pair", why });
  return { read: { load32: ends, offset: 0 }, write: { load32: ends, offset: 4 } };
}

/** Waits for the byte that the other side writes when it is done; its death is end-of-file, and a failure here. */
export function awaitByte(line: Line, fd: Fd, what: string, why: string): void {
  line.call("read", [fd, new Block(8, "char"), 1], { what, why, expect: 1, waits: true });
}

export function sendByte(line: Line, fd: Fd, what: string, why: string): void {
  line.call("write", [fd, "g", 1], { what, why, expect: 1 });
}

/** `struct msghdr` with one byte and one descriptor (SCM_RIGHTS, unix(7)). */
function rightsMessage(): { header: Block; control: Block } {
  const vector = new Block(16, "struct iovec").pointer(0, new Block(8, "char")).u64(8, 1);
  const control = new Block(24, "struct cmsghdr").u64(0, 20).u32(8, C.SOL_SOCKET).u32(12, C.SCM_RIGHTS);
  const header = new Block(56, "struct msghdr").pointer(16, vector).u64(24, 1).pointer(32, control).u64(40, 24);
  return { header, control };
}

function sendDescriptor(line: Line, socket: Fd, descriptor: Fd, what: string, why: string): void {
  const { header, control } = rightsMessage();
  line.patch(control, 16, descriptor, "u32", { why: "the descriptor to send" });
  line.call("sendmsg", [socket, header, 0], { what, why, expect: 1 });
}

/** To a caller that asked for it: signals by it reach this process and never one that has its pid later. */
export function sendPidfd(line: Line, socket: Fd, pidfd: Fd, where: string): void {
  const what = `send the pidfd ${where}`;
  sendDescriptor(line, socket, pidfd, what, "the caller holds the process by it");
  line.call("close", [socket], { what, why: "one message is all" });
}

export function receiveDescriptor(line: Line, socket: Fd, what: string, why: string): Fd {
  const { header, control } = rightsMessage();
  line.call("recvmsg", [socket, header, C.MSG_CMSG_CLOEXEC], { what, why, expect: 1, waits: true });
  return { load32: control, offset: 16 };
}

export interface Streams {
  /** The ends that become the program's 0, 1 and 2. */
  readonly inner: readonly [Fd, Fd, Fd];
}

/**
 * Makes descriptors the standard streams and gives them to the program's user, so that /dev/stdout can be opened; a null device as
 * the input is open to all as it is, and stays whose it is.
 */
export function useStreams(line: Line, streams: readonly [Fd, Fd, Fd], uid: number, where: string, input: "stream" | "null" = "stream"): void {
  streams.forEach((fd, i) => {
    line.call("dup3", [fd, i, 0], { what: `connect stream ${i} ${where}`, why: ["standard input", "standard output", "standard error"][i] ?? "" });
    if (uid !== 0 && !(i === 0 && input === "null")) giveStreams(line, [i], uid, where);
  });
}

/** The caller's streams become those of the program's user. */
export function giveStreams(line: Line, streams: readonly number[], uid: number, where: string): void {
  for (const stream of streams)
    line.call("fchown", [stream, uid, 0xffffffff], {
      what: `connect stream ${stream} ${where}`,
      why: "so that the program can open /dev/stdout again",
      tolerate: ["EPERM", "EINVAL", "EROFS"],
    });
}

export interface TerminalOptions {
  readonly where: string;
  /** The mounted devpts, or the directory with `ptmx`. */
  readonly devpts: Fd;
  readonly uid: number;
  readonly size: { readonly rows: number; readonly columns: number } | undefined;
  /** Where the master goes. */
  readonly socket: Fd;
  /** Root of the container, to put the terminal at /dev/console; undefined for an exec. */
  readonly root: Fd | undefined;
  /** Lines end with "\n" alone: what is pumped goes to no terminal. */
  readonly plainNewlines?: boolean;
}

/** `struct termios` as a new terminal has it (tty_std_termios), but for ONLCR: "\n" does not become "\r\n". */
function plainTermios(): Block {
  const block = new Block(36, "struct termios").u32(0, 0x500 /* ICRNL IXON */).u32(4, 0x1 /* OPOST */).u32(8, 0xbf /* B38400 CS8 CREAD */);
  block.u32(12, 0x8a3b /* ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN */);
  block.bytes.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22], 17);
  return block;
}

/**
 * A terminal of the container's own devpts instance. Its slave is opened through the master (TIOCGPTPEER), and bound
 * to /dev/console by descriptor, so that no path in the image has a say (CVE-2025-52565). Call after setsid.
 */
export function addTerminal(line: Line, options: TerminalOptions): void {
  const { where } = options;
  const what = `make a terminal ${where}`;
  const master = line.call("openat", [options.devpts, "ptmx", C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC, 0], { what, why: "the master side" });
  line.call("ioctl", [master, C.TIOCSPTLCK, new Block(8, "int")], { what, why: "unlocks the other side" });
  if (options.size)
    line.call("ioctl", [master, C.TIOCSWINSZ, new Block(8, "struct winsize").u16(0, options.size.rows).u16(2, options.size.columns)], {
      what,
      why: "the size of the caller's window",
    });
  if (options.plainNewlines)
    line.call("ioctl", [master, C.TCSETS, plainTermios()], { what, why: "the caller's output is no terminal: lines end as in a file" });
  const slave = line.call("ioctl", [master, C.TIOCGPTPEER, C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC], { what, why: "the other side, without a path" });
  sendDescriptor(line, options.socket, master, what, "the master goes to who pumps it");
  useStreams(line, [slave, slave, slave], options.uid, where);
  line.call("ioctl", [0, C.TIOCSCTTY, 0], { what, why: "the session's controlling terminal: job control and Ctrl-C work" });
  if (options.root !== undefined) {
    const target = makeInRoot(line, options.root, "/dev/console", "file", { what, why: "where programs look for the console" });
    attach(line, cloneTree(line, slave, "", false, { what, why: "the terminal as a mount" }), target, what);
  }
}
