import type { CommandDefinition } from "../command.ts";

/** A command's names and where it is; the rest is in its own file. */
export interface CommandEntry {
  /** Every name it goes by, the shortest first. */
  readonly paths: readonly string[];
  /** As in the command's definition: the list of commands is printed without loading them. */
  readonly summary: string;
  load(): Promise<{ readonly command: CommandDefinition }>;
}

function entry(paths: string, summary: string, load: CommandEntry["load"]): CommandEntry {
  return { paths: paths.split(", "), summary, load };
}

/** Every command there is. To add one: its file, and its line here. */
export function commandTable(): readonly CommandEntry[] {
  return [
    entry("run, container run", "Make a container from an image and run a command in it", () => import("./container/run.ts")),
    entry("exec, container exec", "Run a command in a running container", () => import("./container/exec.ts")),
    entry("logs, container logs", "Print what a container has written", () => import("./container/logs.ts")),
    entry("version", "Print the version", () => import("./system/version.ts")),
  ];
}
