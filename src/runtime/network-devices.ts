import type { Call } from "../plan/index.ts";
import { Block } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context } from "./context.ts";
import type { NetworkDevicePlan } from "./launch.ts";
import { sendNetlink } from "./netlink-steps.ts";

/**
 * Moves devices of the host into the network namespace that the child has, new or joined, and gives them back their addresses
 * there. All of it from outside: a namespace that is joined may belong to a user namespace above the container's. Nothing moves
 * them back: what becomes of them at the end is their namespace's affair (runtime-spec config-linux.md "Network Devices").
 */
export function moveDevices({ outer, where }: Pick<Context, "outer" | "where">, devices: readonly NetworkDevicePlan[], child: Call): void {
  if (devices.length === 0) return;
  outer.stage("network devices");
  const moved = devices.map(({ own, other }) => {
    const kept = sendNetlink({ where }, outer, own.move, child, ["EBUSY"]);
    if (kept) outer.unless({ of: kept, is: "ok" }, () => { sendNetlink({ where }, outer, other.move, child); });
    return kept;
  });
  const what = `configure the network ${where}`;
  const path = new Block(32, "path");
  path.bytes.set(new TextEncoder().encode("/proc/"));
  outer.patch(path, 6, child, "decimal", { why: "the child's pid" });
  const directory = outer.call("openat", [C.AT_FDCWD, path, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the child, by its directory in /proc" });
  const netns = outer.call("openat", [directory, "ns/net", C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "where the devices are now" });
  const home = outer.call("openat", [C.AT_FDCWD, "/proc/self/ns/net", C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "the way back" });
  outer.call("setns", [netns, C.CLONE_NEWNET], { what, why: "addresses are given inside" });
  devices.forEach(({ own, other }, i) => {
    const kept = moved[i];
    if (!kept) return;
    outer.unless({ of: kept, is: "failed" }, () => { sendNetlink({ where }, outer, own.settle, undefined); });
    outer.unless({ of: kept, is: "ok" }, () => { sendNetlink({ where }, outer, other.settle, undefined); });
  });
  outer.call("setns", [home, C.CLONE_NEWNET], { what, why: "back again: what follows out here is the runtime's" });
  for (const fd of [directory, netns, home]) outer.call("close", [fd], { what, why: "done with it" });
}
