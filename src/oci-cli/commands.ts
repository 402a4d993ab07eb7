import type { Context } from "./context.ts";

/** One command of the runtime: loaded when it is called. Resolves with the exit code; throws what the caller is to be told. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  run(context: Context, words: readonly string[]): Promise<number>;
}

type Load = () => Promise<{ readonly command: Command }>;

/** Everything that this runtime can do, by name. */
export function commandTable(): Readonly<Record<string, Load>> {
  return {
    create: () => import("./commands/create.ts"),
    start: () => import("./commands/start.ts"),
    state: () => import("./commands/state.ts"),
    kill: () => import("./commands/kill.ts"),
    delete: () => import("./commands/delete.ts"),
    run: () => import("./commands/run.ts"),
    exec: () => import("./commands/exec.ts"),
    ps: () => import("./commands/ps.ts"),
    list: () => import("./commands/list.ts"),
    pause: () => import("./commands/pause.ts"),
    resume: () => import("./commands/resume.ts"),
    update: () => import("./commands/update.ts"),
    events: () => import("./commands/events.ts"),
    spec: () => import("./commands/spec.ts"),
    features: () => import("./commands/features.ts"),
  };
}
