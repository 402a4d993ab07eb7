import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd } from "./context.ts";

/** SIGHUP, SIGINT, SIGQUIT and SIGTERM, as a `sigset_t`. */
const ENDING_SIGNALS = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14);
const POLLIN = 1;

/** Waits at the gate for the start command's byte; with `hears` also for a signal that asks the container to end. */
export function waitForStart(line: Line, gate: Fd, where: string, hears: boolean): void {
  const what = `wait for the start ${where}`;
  const stopHearing = hears ? waitForEither(line, gate, what) : undefined;
  line.call("read", [gate, new Block(8, "char"), 1], { what, why: "until the start command writes a byte", expect: 1, waits: true });
  stopHearing?.();
}

/**
 * Signals that end a program which does not handle them end one, too, that does not run yet: the kernel keeps them from a first
 * process without a handler (pid_namespaces(7)), but not while they are blocked, and then they can be read (signalfd(2)).
 * Returns what undoes it.
 */
function waitForEither(line: Line, gate: Fd, what: string): () => void {
  const set = new Block(8, "sigset_t").u64(0, ENDING_SIGNALS);
  line.call("rt_sigprocmask", [C.SIG_SETMASK, set, null, 8], { what, why: "what asks a program to end is kept" });
  const signals = line.call("signalfd4", [-1, set, 8, C.O_CLOEXEC], { what, why: "and heard here", tolerate: "any" });
  const polled = new Block(16, "struct pollfd[2]").u32(4, POLLIN).u32(12, POLLIN);
  line.patch(polled, 0, gate, "u32", { why: "the gate" });
  line.patch(polled, 8, signals, "u32", { why: "the signals; a negative number is ignored (poll(2))" });
  line.call("ppoll", [polled, 2, null, null, 8], { what, why: "for the start command's byte, or a signal", tolerate: ["EINTR"], waits: true });
  // As long as nothing has come, the second word of a `struct pollfd` is what was asked for.
  const nothing = { equal: POLLIN };
  const wordAt = (offset: number): Call => line.pick({ load32: polled, offset }, 0, { what });
  const [started, asked] = [wordAt(4), wordAt(12)];
  line.unless({ of: asked, is: nothing }, () => {
    line.call("exit_group", [143], { what, why: "it was asked to end before it began", when: { of: started, is: nothing } });
  });
  return () => {
    line.call("close", [signals], { what, why: "no longer needed", tolerate: "any" });
    line.call("rt_sigprocmask", [C.SIG_SETMASK, new Block(8, "sigset_t"), null, 8], { what, why: "the program has none blocked" });
  };
}
