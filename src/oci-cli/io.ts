import { writeSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";

/** All of a text, at once: the runtime's own stream objects cost more to make than a whole command takes. */
export function print(fd: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EPIPE" || errno === "EBADF") return; // nobody listens
      if (errno !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // a full pipe that does not block: a moment for its reader
    }
  }
}
