import type { CommandEntry } from "../commands/table.ts";

/** What a word names: the shell asks for the names there are. "none" is for what cannot be guessed. */
export type WordKind = "container" | "running" | "image" | "network" | "volume" | "file" | "none";

export interface CompletionFlag {
  /** With dashes, the long one first. */
  readonly names: readonly string[];
  readonly help: string;
  /** undefined for a switch. */
  readonly value: { readonly kind: WordKind; readonly choices: readonly string[] } | undefined;
}

export interface CompletionCommand {
  /** "run", "container run". */
  readonly path: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** The kinds of the positionals; the last one is that of all further ones. */
  readonly positionals: readonly WordKind[];
  /** False: after the first positional everything is the container's. */
  readonly interspersed: boolean;
}

export interface CompletionModel {
  readonly commands: readonly CompletionCommand[];
  /** First words of commands with two: "container". */
  readonly groups: readonly string[];
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  restart: ["no", "always", "on-failure", "unless-stopped"],
  pull: ["always", "missing", "never"],
  signal: ["SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"],
  "stop-signal": ["SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"],
  "log-driver": ["json-file", "none"],
  attach: ["stdin", "stdout", "stderr"],
};
const KINDS: Readonly<Record<string, WordKind>> = {
  network: "network", "volumes-from": "container", "env-file": "file", cidfile: "file", "label-file": "file", output: "file", input: "file",
  volume: "file", rootfs: "file",
};

/** Commands that need a container that runs. */
const RUNNING = new Set(["attach", "exec", "kill", "pause", "stats", "stop", "top", "unpause"]);

/** Reads every command's table. Hidden commands and flags are left out. */
export async function completionModel(table: readonly CommandEntry[]): Promise<CompletionModel> {
  const commands: CompletionCommand[] = [];
  for (const entry of table) {
    if (entry.hidden === true) continue;
    const { command } = await entry.load();
    const flags = Object.entries(command.flags).filter(([, flag]) => flag.hidden !== true).map(([name, flag]): CompletionFlag => ({
      names: [`--${name}`, ...(flag.aliases ?? []).map((alias) => `--${alias}`), ...(flag.short === undefined ? [] : [`-${flag.short}`])],
      help: flag.help.split("\n")[0] ?? "",
      value: flag.valueName === "" ? undefined : { kind: KINDS[name] ?? "none", choices: CHOICES[name] ?? [] },
    })).sort((a, b) => ((a.names[0] ?? "") < (b.names[0] ?? "") ? -1 : 1));
    for (const path of entry.paths)
      commands.push({
        path,
        summary: entry.summary,
        flags,
        positionals: command.args.max === 0 ? [] : positionalsOf(path, command.usage),
        interspersed: command.interspersed ?? true,
      });
  }
  commands.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { commands, groups: [...new Set(commands.filter(({ path }) => path.includes(" ")).map(({ path }) => path.split(" ")[0] ?? ""))].sort() };
}

/** A usage line says what its words are: "[OPTIONS] CONTAINER [CONTAINER...]". */
function positionalsOf(path: string, usage: string): WordKind[] {
  const command = path.split(" ").at(-1) ?? "";
  // Their usage says NAME, for it need not be there yet, or may be of any kind.
  if (command === "cp") return ["file"];
  if (command === "push" || path === "images") return ["image"];
  if (path === "inspect") return ["container"];
  if (path === "network create") return ["none"];
  const words = usage.replace(/\[OPTIONS\]|\[[:@][^\]]*\]/g, "").match(/[A-Z][A-Z_]*/g) ?? [];
  return words.map((word): WordKind => {
    if (word.startsWith("CONTAINER")) return RUNNING.has(command) ? "running" : "container";
    if (word.includes("IMAGE") || (word === "NAME" && path.startsWith("image "))) return "image";
    if (word.startsWith("NETWORK")) return "network";
    if (word.startsWith("VOLUME")) return path.endsWith("create") ? "none" : "volume";
    return /^(FILE|PATH|COMMAND|ARG|URL)/.test(word) ? "file" : "none";
  }).filter((kind, n, all) => n === 0 || kind !== all[n - 1]);
}

/** How a script asks for names, one a line. */
export const NAME_QUERIES: Readonly<Record<Exclude<WordKind, "file" | "none">, string>> = {
  container: "ps -a --format '{{.Names}}'",
  running: "ps --format '{{.Names}}'",
  image: "images --format '{{.Repository}}:{{.Tag}}'",
  network: "network ls --format '{{.Name}}'",
  volume: "volume ls --format '{{.Name}}'",
};

/** What may stand before the command's name. */
export const GLOBAL_FLAGS: readonly { readonly name: string; readonly takesFile: boolean; readonly help: string }[] = [
  { name: "--debug", takesFile: false, help: "Print where an error came from" },
  { name: "--help", takesFile: false, help: "Print help" },
  { name: "--root", takesFile: true, help: "Where images, volumes and state are kept" },
  { name: "--state", takesFile: true, help: "Where run state is kept" },
  { name: "--version", takesFile: false, help: "Print the version" },
];
