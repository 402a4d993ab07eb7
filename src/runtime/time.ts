import type { Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";

/** A time namespace for the child to be born in; its offsets can be written only while nobody is in it (time_namespaces(7)). */
export function setTimeOffsets(outer: Line, offsets: Readonly<Record<string, { secs?: number; nanosecs?: number }>>, where: string): void {
  const what = `make the time namespace ${where}`;
  outer.stage("time namespace");
  outer.call("unshare", [C.CLONE_NEWTIME], { what, why: "for children only" });
  const text = Object.entries(offsets).map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`).join("");
  if (text === "") return;
  const file = outer.call("openat", [C.AT_FDCWD, "/proc/self/timens_offsets", C.O_WRONLY | C.O_CLOEXEC, 0], { what, why: "linux.timeOffsets" });
  outer.call("write", [file, text, Buffer.byteLength(text)], { what, why: text.trim().replaceAll("\n", "; ") });
  outer.call("close", [file], { what, why: "done with it" });
}
