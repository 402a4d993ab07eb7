/**
 * The OCI runtime's command line: what containerd, Docker, Podman and CRI-O call instead of runc.
 *
 * Vocabulary: a *bundle* is a directory with config.json and a root filesystem; the *gate* is the FIFO at which a created
 * container's first process waits for `start`; *told* is the FIFO by which `start` knows that the program runs.
 *
 * Invariants: nothing of the engine's state is read or written, and no process of ours stays. After `create` the first
 * process belongs to the caller's subreaper. Every error is one sentence, exit code 1, and leaves nothing behind.
 */
export { main } from "./main.ts";
