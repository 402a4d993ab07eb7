import { mkdirSync, readFileSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";
import { hostArch } from "../linux/arch.ts";
import type { CgroupHost, CgroupPaths } from "../runtime/cgroups/index.ts";
import { readCgroupHost } from "../runtime/cgroups/index.ts";
import type { HostFacts } from "../runtime/index.ts";
import type { PlanStore } from "../runtime/kept-plans.ts";
import { findKeel, ownExecutable } from "./keel.ts";
import type { Log } from "./log.ts";

export const DEFAULT_ROOT = "/run/sampan-oci";

/** Who makes containers' groups: we, systemd, or nobody, and then they stay in the caller's. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** What the commands share: where state is, where messages go, and facts of the host, read when first asked for. */
export class Context {
  readonly root: string;
  readonly log: Log;
  readonly cgroupManager: CgroupManager;
  #cgroups: CgroupHost | undefined;
  #kernel: string | undefined;

  constructor(root: string, log: Log, cgroupManager: CgroupManager) {
    this.root = root;
    this.log = log;
    this.cgroupManager = cgroupManager;
  }

  get keel(): string {
    this.makeRoot();
    return findKeel(this.root);
  }

  /** Plans that were encoded before; a program run from sources keeps none. */
  get plans(): PlanStore {
    const build = ownExecutable()?.build;
    return build === undefined
      ? new Map()
      : { directory: `${this.root}/.plans`, identity: `${build} ${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}` };
  }

  get cgroups(): CgroupHost {
    return (this.#cgroups ??= readCgroupHost());
  }

  /** As uname(2) says: "6.18.44-amd64". */
  get kernelVersion(): string {
    return (this.#kernel ??= readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  }

  /** [6, 18] for "6.18.44-amd64". */
  get kernel(): readonly [major: number, minor: number] {
    const [major = 0, minor = 0] = this.kernelVersion.split(".").map((part) => Number.parseInt(part, 10));
    return [major, minor];
  }

  /** Users of a user namespace pass through it, and see nothing (0711). */
  makeRoot(): void {
    try {
      mkdirSync(this.root, { recursive: true, mode: 0o711 });
    } catch (error) {
      const errno = errnoOf(error);
      throw new SampanError(errno === "EACCES" ? "denied" : "unavailable", `Cannot make the state directory "${this.root}": ${errno ?? String(error)}`, {
        code: errno,
        cause: error,
      });
    }
  }

  /** The kernel's highest: one that has no name here yet is to be dropped as well. */
  get lastCapability(): number {
    return Number.parseInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"), 10);
  }

  hostFacts(paths: CgroupPaths | undefined, ownCgroupNamespace: boolean): HostFacts {
    return {
      arch: hostArch(),
      kernel: this.kernel,
      // Only hierarchies that the container has a group in: another would show the host's.
      cgroupMounts: this.cgroups.hierarchies.flatMap(({ version, mountpoint, controllers, name }) => {
        const directory = paths?.directories.find((path) => path.startsWith(`${mountpoint}/`));
        if (directory === undefined) return [];
        return [{
          version, name: mountpoint.slice(mountpoint.lastIndexOf("/") + 1), option: name === undefined ? controllers.join(",") : `name=${name}`,
          ...(ownCgroupNamespace ? {} : { directory }),
        }];
      }),
      lastCapability: this.lastCapability,
    };
  }
}
