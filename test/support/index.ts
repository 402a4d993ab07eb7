/**
 * What integration tests are made of. A *sandbox* is an engine of the test's own; a *rootfs* is made from Debian's
 * busybox or by mmdebstrap; the *probe* says what a process inside a container sees; a *peer* is another engine
 * that does the same thing and serves as oracle. Everything that is started is disposable and is undone in
 * reverse order; the runner checks after each file that the machine is as it was.
 */
export * from "./bundle.ts";
export * from "./command.ts";
export * from "./guest.ts";
export * from "./leaks.ts";
export * from "./peers/docker.ts";
export * from "./peers/hybrid.ts";
export * from "./peers/podman.ts";
export * from "./peers/registry.ts";
export * from "./peers/runtimes.ts";
export * from "./pty.ts";
export * from "./rootfs.ts";
export * from "./sandbox.ts";
export * from "./trees.ts";
