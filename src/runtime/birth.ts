import { Block } from "../plan/index.ts";
import type { Call } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import type { BirthFiles } from "./launch.ts";

/** Copies /proc/PID/stat of a process to a file, so that others can tell it from a later one with the same pid. */
export function recordBirth(context: Context, child: Call, birth: BirthFiles): void {
  const { outer, where } = context;
  const what = `record the processes ${where}`;
  const childStat = new Block(32, "path");
  childStat.bytes.set(new TextEncoder().encode("/proc/"));
  outer.patch(childStat, 6, child, "decimal", { why: "the child's pid" });
  const directory = outer.call("openat", [C.AT_FDCWD, childStat, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
    what,
    why: "the child, by its directory in /proc",
  });
  const copy = (from: Fd, path: string, to: string): void => {
    const text = new Block(512, "char[512]");
    const stat = outer.call("openat", [from, path, C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "who it is: pid and start time" });
    const size = outer.call("read", [stat, text, 512], { what, why: "proc_pid_stat(5)" });
    const file = outer.call("openat", [C.AT_FDCWD, to, C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_CLOEXEC, 0o600], { what, why: "for whoever looks later" });
    outer.call("write", [file, text, size], { what, why: "a pid alone could be anybody's" });
    outer.call("close", [file], { what, why: "done with it" });
    outer.call("close", [stat], { what, why: "done with it" });
  };
  copy(directory, "stat", birth.pidFile);
  if (birth.monitorFile !== undefined) copy(C.AT_FDCWD, "/proc/self/stat", birth.monitorFile);
  if (birth.link !== undefined) {
    outer.call("unlinkat", [C.AT_FDCWD, birth.link, 0], { what, why: "of an earlier run", tolerate: ["ENOENT"] });
    outer.call("symlinkat", [childStat, C.AT_FDCWD, birth.link], { what, why: "for plans that were prepared before it had a pid" });
  }
  outer.call("close", [directory], { what, why: "done with it" });
}

export function writeFile(context: Context, path: string, text: string, why: string, line = context.inner): void {
  const { where } = context;
  const what = `write "${text}" to "${path}" ${where}`;
  const file = line.call("openat", [C.AT_FDCWD, path, C.O_WRONLY | C.O_CLOEXEC, 0], { what, why });
  line.call("write", [file, text, Buffer.byteLength(text)], { what, why });
  line.call("close", [file], { what, why: "done with it" });
}
