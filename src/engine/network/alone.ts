import { mkdirSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import { Part, Session } from "../../plan/session.ts";
import type { EngineContext } from "../context.ts";

/** flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;
/** keel's register that holds the descriptor. */
const NETNS_REGISTER = 0;
/** Longer than anything that is done meanwhile; only a stopped process lets it run out. */
const WAIT_MS = 60_000;

/**
 * Does something while no other process of this network namespace does, whatever its store: two engines that look for a free subnet at
 * the same time would find the same one. The lock is on the namespace itself, so that it needs no place that all engines know, leaves
 * nothing behind, and goes with keel, which goes with us. Inside of `underHostLock`, where both are needed.
 */
export async function aloneOnHost<T>({ keel, paths: { state } }: EngineContext, work: () => Promise<T>): Promise<T> {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const what = "lock the host's network";
  using session = await Session.open({ keel, directory: state });
  const opening = new Part();
  opening.line.call("openat", [C.AT_FDCWD, "/proc/self/ns/net", C.O_RDONLY | C.O_CLOEXEC, 0], { what, register: NETNS_REGISTER });
  session.run(opening);
  // Without LOCK_NB the answer would be waited for by all of this process, and the holder may be in it.
  for (const until = performance.now() + WAIT_MS; ;) {
    const part = new Part();
    const lock = part.collect(part.line.call("flock", [{ register: NETNS_REGISTER }, LOCK_EX | LOCK_NB], { what, tolerate: ["EAGAIN"] }));
    if (session.run(part).result(lock) === 0) break;
    if (performance.now() > until) throw new SampanError("unavailable", `Cannot ${what}: somebody has had it for over a minute`, { hint: "See who: lslocks" });
    await new Promise((resolve) => setTimeout(resolve, 2 + Math.random() * 3));
  }
  return await work();
}
