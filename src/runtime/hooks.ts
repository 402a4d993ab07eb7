import { Block, stringArray } from "../plan/index.ts";
import type { Arg, Call, Line } from "../plan/index.ts";
import type { Hook, Hooks } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd } from "./context.ts";

export type HookKind = keyof Hooks;

/** What a hook is told on its standard input (runtime-spec runtime.md "State"), all but the pid. */
export interface HookState {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface HookOptions {
  readonly state: HookState;
  readonly status: "creating" | "created" | "running" | "stopped";
  /** The container's first process, as those see it in whose namespaces the hook runs; 0 where there is none any more. */
  readonly pid: Arg;
  readonly where: string;
  /** Where hooks' output goes: the container's own streams are not theirs. */
  readonly output: Fd;
  /** For hooks whose config says nothing of it. */
  readonly environment: readonly string[];
  /** A failure that is only a warning (poststop). */
  readonly tolerate?: boolean;
}

/** Room for a 32-bit number in decimal; JSON does not mind the spaces after it. */
const PID_ROOM = " ".repeat(10);

/** The state with room for the pid, and where that room is. */
function stateText({ state, status }: Pick<HookOptions, "state" | "status">): { bytes: Uint8Array; pidAt: number } {
  const { ociVersion, id, bundle, annotations } = state;
  const head = `{"pid":`;
  const rest = JSON.stringify({ ociVersion, id, status, bundle, ...(annotations === undefined ? {} : { annotations }) });
  return { bytes: new TextEncoder().encode(`${head}${PID_ROOM},${rest.slice(1)}`), pidAt: head.length };
}

/** `struct spawn` of native/keel/keel.c. */
function spawnBlock({ path, args, env, timeout }: Hook, input: Block, environment: readonly string[]): Block {
  const block = new Block(48, "struct spawn").pointer(0, path).pointer(8, stringArray(args && args.length > 0 ? args : [path], "argv"))
    .pointer(16, stringArray(env ?? environment, "envp")).pointer(24, input).u64(32, input.bytes.length);
  return block.u64(40, BigInt(Math.round((timeout ?? 0) * 1e9)));
}

/**
 * Runs the hooks of one kind, one after the other, in the namespaces of the side that runs them. A hook that fails stops
 * the plan, and with it the container (runtime-spec runtime.md "Lifecycle").
 */
export function addHooks(line: Line, hooks: Hooks | undefined, kind: HookKind, options: HookOptions): Call[] {
  const wanted = hooks?.[kind] ?? [];
  if (wanted.length === 0) return [];
  const { where, output } = options;
  line.stage(`${kind} hooks`);
  const { bytes, pidAt } = stateText(options);
  const input = new Block(bytes, "state");
  line.patch(input, pidAt, options.pid, "padded", { why: "the container's first process" });
  const what = `run the ${kind} hooks ${where}`;
  const saved = [1, 2].map((stream) => line.call("fcntl", [stream, C.F_DUPFD_CLOEXEC, 3], { what, why: "the container's own stream, aside" }));
  for (const stream of [1, 2].filter((number) => number !== output))
    line.call("dup3", [output, stream, 0], { what, why: "what hooks say is for the error message" });
  const calls = wanted.map((hook, i) =>
    line.spawn(spawnBlock(hook, input, options.environment), {
      what: `run ${kind} hook ${i + 1} "${hook.path}" ${where}`, why: hook.timeout === undefined ? "to its end" : `at most ${hook.timeout} s`,
      ...(options.tolerate ? { tolerate: "any" as const } : { expect: 0 }),
    }));
  saved.forEach((fd, i) => {
    line.call("dup3", [fd, i + 1, 0], { what, why: "the container's own stream again" });
    line.call("close", [fd], { what, why: "done with it" });
  });
  return calls;
}
