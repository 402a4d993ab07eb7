import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { hostArch } from "../linux/arch.ts";
import type { CgroupHost } from "../runtime/cgroups/index.ts";
import type { HostFacts } from "../runtime/index.ts";
import type { PlanStore } from "../runtime/kept-plans.ts";
import type { StateStore } from "../storage/state/index.ts";
import { openState } from "../storage/state/index.ts";
import { readCgroupHost } from "../runtime/cgroups/files.ts"; // no compiler: lists need none
import { bindState } from "./bind-state.ts";
import { findKeel } from "./executor.ts";
import type { Paths } from "./paths.ts";
import { pathsOf } from "./paths.ts";
import { seccompFor } from "./seccomp.ts";
import type { CompiledFilter } from "./seccomp.ts";

export interface EngineOptions {
  /** The store: images, layers, volumes, state. */
  readonly root: string;
  /** Run state, gone after a reboot. */
  readonly state: string;
  /** argv by which a `sampan` program is started to finish a container when nobody waits for it. */
  readonly command: readonly string[];
}

/** What the use cases share. Everything is opened when first asked for, and once. */
export class EngineContext implements Disposable {
  readonly options: EngineOptions;
  readonly paths: Paths;
  #store: StateStore | undefined;
  #cgroups: CgroupHost | undefined;
  #kernel: string | undefined;
  #hasIpv6: boolean | undefined;
  #bootId: string | undefined;
  #lastCapability: number | undefined;
  #keel: string | undefined;
  #plans: PlanStore | undefined;

  constructor(options: EngineOptions) {
    this.options = options;
    this.paths = pathsOf(options.root, options.state);
  }

  get store(): StateStore {
    if (!this.#store) {
      makePrivate(this.paths.root);
      makePrivate(this.paths.state);
      bindState(this.paths);
      this.#store = openState(this.paths.database);
    }
    return this.#store;
  }

  /** The executor. */
  get keel(): string {
    return (this.#keel ??= findKeel(this.paths.root));
  }

  /** Plans that were encoded before. */
  get plans(): PlanStore {
    const build = globalThis.sampanEmbedded?.build;
    return (this.#plans ??= build === undefined ? new Map() : { directory: `${this.paths.cache}/plans`, identity: `${build} ${this.bootId}` });
  }

  get cgroups(): CgroupHost {
    return (this.#cgroups ??= readCgroupHost());
  }

  /** As uname(2) says: "6.18.44-amd64". */
  get kernelVersion(): string {
    return (this.#kernel ??= readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  }

  /** Whether the kernel has IPv6 at all; with ipv6.disable=1 it has not. */
  get hasIpv6(): boolean {
    return (this.#hasIpv6 ??= existsSync("/proc/sys/net/ipv6"));
  }

  /** Of this boot; pids of another mean nothing. */
  get bootId(): string {
    return (this.#bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  }

  hostFacts(joined: readonly string[]): HostFacts {
    const [major = 0, minor = 0] = this.kernelVersion.split(".").map((part) => Number.parseInt(part, 10));
    return {
      arch: hostArch(),
      kernel: [major, minor],
      // Only hierarchies that the container has a group in: another would show the host's.
      cgroupMounts: this.cgroups.hierarchies
        .filter(({ mountpoint }) => joined.some((directory) => directory.startsWith(`${mountpoint}/`)))
        .map(({ version, mountpoint, controllers, name }) => ({
          version, name: mountpoint.slice(mountpoint.lastIndexOf("/") + 1), option: name === undefined ? controllers.join(",") : `name=${name}`,
        })),
      lastCapability: this.#lastCapability ??= lastCapability(),
    };
  }

  seccomp(profile: string, capabilities: readonly string[]): Promise<CompiledFilter | undefined> {
    return seccompFor(this, profile, capabilities);
  }

  [Symbol.dispose](): void {
    this.#store?.close();
    this.#store = undefined;
  }
}

/** The kernel's highest capability: one that has no name here yet is to be dropped as well. */
function lastCapability(): number {
  return Number.parseInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"), 10);
}

/** A directory that only root enters (0700). Made if missing. */
export function makePrivate(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return;
    if (errno === "ENOENT") {
      mkdirSync(path, { mode: 0o700, recursive: true });
      return;
    }
    if (errno === "EACCES" || errno === "EPERM")
      throw new SampanError("denied", `Cannot use "${path}": Sampan needs root`, { hint: "Run it with sudo", code: errno, cause: error, exitCode: 125 });
    throw new SampanError("unavailable", `Cannot make "${path}": ${errno ?? String(error)}`, { code: errno, cause: error, exitCode: 125 });
  }
}

/** Refuses early and once, before anything else goes wrong in a less readable way. */
export function requireRoot(): void {
  if (process.geteuid?.() !== 0)
    throw new SampanError("denied", "Cannot run containers: Sampan needs root", {
      hint: "Run it with sudo; containers without root are not there yet",
      exitCode: 125,
    });
}

export type { ContainerId };
