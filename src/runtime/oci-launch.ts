import type { HookState } from "./hooks.ts";
import type { Launch, NetworkDevicePlan } from "./launch.ts";

/** A start under the OCI runtime's command line: what a launch of the engine's does not have. */
export interface OciLaunch extends Launch {
  /**
   * When keel's outer half ends. "created": the first process waits at the gate; "started": the program runs; "exited":
   * it has ended, and keel with it.
   */
  readonly end: "created" | "started" | "exited";
  /** What comes out of the terminal goes to none: its lines end with "\n" alone. */
  readonly plainNewlines?: boolean;
  /** linux.netDevices. */
  readonly networkDevices?: readonly NetworkDevicePlan[];
  /** FIFOs for `start`: a byte through the gate lets the first process go on, `told` is at end-of-file once the program runs. */
  readonly gate?: { readonly gate: string; readonly told: string };
  /**
   * FIFOs, where the outer side is in a joined user namespace and has no rights left to run the runtime's hooks with: a byte through
   * `built` says that the environment is there, one through `hooked` lets it go on.
   */
  readonly hooksElsewhere?: { readonly built: string; readonly hooked: string };
  /** A listening unix socket that takes the terminal's master. */
  readonly consoleSocket?: string;
  /** A listening unix socket that takes the first process's pidfd. */
  readonly pidfdSocket?: string;
  /** The program gets the descriptors below this one: 3 and those that the caller wants preserved. */
  readonly keepBelow: number;
  /** A descriptor that hooks write to, as keel has it. */
  readonly hookOutput: number;
  /** The environment of hooks whose config has none: the runtime's own. */
  readonly hookEnvironment: readonly string[];
  readonly state: HookState;
  /** Name of a session keyring to join; undefined for the caller's. */
  readonly keyring?: string;
  /** Which of 0, 1 and 2 are pipes or terminals, to be given to the program's user. */
  readonly ownStreams: readonly number[];
  /** The caller's streams that are the host's /dev/null. */
  readonly idleStreams: readonly number[];
  /** What the security module is told at execve: a file beneath /proc/self, and its text. */
  readonly label?: { readonly file: string; readonly text: string };
  /** The filter returns a listener, which goes to this socket. */
  readonly seccompListener?: { readonly path: string; readonly metadata: string | undefined };
}
