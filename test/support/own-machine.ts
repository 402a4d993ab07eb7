/**
 * A mount and a network namespace for a worker of a test: what it sees is its own, so that the mount table can be compared
 * byte by byte and links counted while others use the machine. Everything is shared within it, as systemd leaves a
 * host, so that a container's mount that is not made private first would show. /sys is the namespace's own, and the control
 * groups are the machine's.
 */
import { join } from "node:path";
import { REPOSITORY } from "./sandbox.ts";

const SETUP = `set -e
mount --make-rprivate /
mkdir -p "$1"
mount -t tmpfs tmpfs "$1"
mount --rbind /sys/fs/cgroup "$1"
mount -t sysfs sysfs /sys
mount --rbind "$1" /sys/fs/cgroup
umount -l "$1"
umount -l "$1"
rmdir "$1"
mount --make-rshared /
ip link set lo up
shift
exec "$@"`;

/** argv that runs a script of this repository, with its arguments, in such a place. `scratch` is a path that does not exist. */
export function onOwnMachine(scratch: string, script: string, args: readonly string[]): string[] {
  return ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", SETUP, "setup", scratch, process.execPath, join(REPOSITORY, script), ...args];
}
