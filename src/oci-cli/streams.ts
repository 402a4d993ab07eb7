import { fstatSync, type Stats } from "node:fs";

const NULL_DEVICE = 0x103; // makedev(1, 3)

function streams(is: (stat: Stats) => boolean): number[] {
  return [0, 1, 2].filter((fd) => is(fstatSync(fd)));
}

/** Pipes become the program's user's; never a device such as /dev/null, nor a file of the host's. */
export function ownStreams(): number[] {
  return streams((stat) => stat.isFIFO() || stat.isSocket());
}

/** The host's /dev/null, which the program gets one of its own for. */
export function idleStreams(): number[] {
  return streams((stat) => stat.isCharacterDevice() && stat.rdev === NULL_DEVICE);
}
