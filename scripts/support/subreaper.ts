/**
 * Makes this process the parent of every orphan among its descendants (PR_SET_CHILD_SUBREAPER, prctl(2)), so
 * that a process that a test leaves behind, monitors of containers included, is found for certain and
 * belongs to the file that has just run. Without it an orphan would go to PID 1 and look like anybody's.
 */
import { dlopen } from "bun:ffi";
import { readdirSync, readFileSync } from "node:fs";

const PR_SET_CHILD_SUBREAPER = 36;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
/** si_pid stands 16 bytes into siginfo_t on 64-bit machines: sigaction(2). */
const SI_PID_WORD = 4;

export interface Descendant {
  pid: number;
  parent: number;
  /** As proc_pid_stat(5) has it: "Z" is dead and waiting to be reaped. */
  state: string;
  command: string;
}

function readProcess(pid: number): Descendant | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name may hold spaces and parentheses: fields are counted from the last one.
    const [state = "", parent = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, parent: Number(parent), state, command: line === "" ? `[${name}]` : line };
  } catch {
    return undefined; // It ended while we looked.
  }
}

/** Everything below `ancestor`, nearest first. */
export function findDescendants(ancestor: number): Descendant[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((name) => readProcess(Number(name)));
  const byParent = Map.groupBy(all.filter((entry) => entry !== undefined), (entry) => entry.parent);
  const found: Descendant[] = [];
  const queue = [ancestor];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    for (const child of byParent.get(pid) ?? []) {
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** A daemon waits for its helpers to vanish, and a zombie has not vanished: so adopted ones are reaped all the time. */
const REAP_EVERY_MS = 50;

export interface Subreaper {
  /** The living among the descendants. */
  collect(): Descendant[];
}

/** `isAwaited` tells the children that this program waits for itself: theirs is the exit status. */
export function becomeSubreaper(isAwaited: (pid: number) => boolean): Subreaper {
  const libc = dlopen("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
    waitid: { args: ["i32", "i32", "ptr", "i32"], returns: "i32" },
  });
  if (libc.symbols.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) throw new Error("Cannot adopt orphans: prctl(PR_SET_CHILD_SUBREAPER) failed.");
  const info = new Int32Array(32); // siginfo_t: 128 bytes
  const reap = (): void => {
    for (;;) {
      info.fill(0);
      // WNOWAIT only looks: a child of our own must be left for whoever awaits it, and ends the round.
      if (libc.symbols.waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) !== 0) return;
      const pid = info[SI_PID_WORD] ?? 0;
      if (pid === 0 || isAwaited(pid)) return;
      libc.symbols.waitpid(pid, null, WNOHANG);
    }
  };
  setInterval(reap, REAP_EVERY_MS).unref();
  return {
    collect() {
      reap();
      return findDescendants(process.pid).filter((entry) => entry.state !== "Z");
    },
  };
}
