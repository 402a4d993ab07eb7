import { Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd } from "./context.ts";

/** SIGHUP, SIGINT, SIGQUIT and SIGTERM, as a `sigset_t`. */
const ENDING_SIGNALS = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14);
const POLLIN = 1;

/**
 * Waits until there is something at the gate. Signals that end a program which does not handle them end one, too, that does not
 * run yet: the kernel keeps them from a first process without a handler (pid_namespaces(7)), but not while they are blocked, and
 * then they can be read (signalfd(2)).
 */
export function hearEnding(inner: Line, gate: Fd, what: string, pass: () => void): void {
  const set = new Block(8, "sigset_t").u64(0, ENDING_SIGNALS);
  inner.call("rt_sigprocmask", [C.SIG_SETMASK, set, null, 8], { what, why: "what asks a program to end is kept" });
  const signals = inner.call("signalfd4", [-1, set, 8, C.O_CLOEXEC], { what, why: "and heard here", tolerate: "any" });
  const polled = new Block(16, "struct pollfd[2]").u32(4, POLLIN).u32(12, POLLIN);
  inner.patch(polled, 0, gate, "u32", { why: "the gate" });
  inner.patch(polled, 8, signals, "u32", { why: "the signals; a negative number is ignored (poll(2))" });
  inner.call("ppoll", [polled, 2, null, null, 8], { what, why: "for the start command's byte, or a signal", tolerate: ["EINTR"], waits: true });
  // As long as nothing has come, a `struct pollfd`'s second word is what was asked for.
  const [started, asked] = [4, 12].map((offset) => inner.pick({ load32: polled, offset }, 0, { what }));
  if (started && asked)
    inner.unless({ of: asked, is: { equal: POLLIN } }, () => { inner.call("exit_group", [143], { what, why: "it was asked to end before it began", when: { of: started, is: { equal: POLLIN } } }); });
  pass();
  inner.call("close", [signals], { what, why: "no longer needed", tolerate: "any" });
  inner.call("rt_sigprocmask", [C.SIG_SETMASK, new Block(8, "sigset_t"), null, 8], { what, why: "the program has none blocked" });
}
