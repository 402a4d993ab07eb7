import { messageOf, SampanError } from "../base/errors.ts";
import { commandTable } from "./commands.ts";
import { Context, DEFAULT_ROOT } from "./context.ts";
import { parseFlags } from "./flags.ts";
import { Log } from "./log.ts";
import { print } from "./io.ts";

const GLOBAL = ["root=", "log=", "log-format=", "debug", "systemd-cgroup", "cgroup-manager=", "rootless=", "criu=", "help h", "version v"];
const VERSION = "0.1.0";

/** One command line of the OCI runtime: the exit code. Never throws: an error is one sentence on stderr and in the log. */
export async function main(argv: readonly string[]): Promise<number> {
  const log = new Log();
  try {
    return await dispatch(argv, log);
  } catch (error) {
    const hint = error instanceof SampanError && error.hint !== undefined ? ` (${error.hint})` : "";
    const message = `${messageOf(error).replaceAll("\n", "; ")}${hint}`;
    log.write("error", message);
    print(2, `error: ${message}\n`);
    if (log.debug && error instanceof Error && error.stack !== undefined) log.write("debug", error.stack);
    return error instanceof SampanError ? (error.exitCode ?? 1) : 1;
  }
}

async function dispatch(argv: readonly string[], log: Log): Promise<number> {
  const flags = parseFlags("sampan-oci", argv, GLOBAL, { stopAtFirst: true });
  const format = flags.value("log-format") ?? "text";
  const file = flags.value("log");
  if (file !== undefined) log.open(file);
  log.debug = flags.has("debug");
  if (format !== "text" && format !== "json") throw new SampanError("invalid", `Cannot use --log-format "${format}": it is text or json`);
  log.format = format;
  if (flags.has("version")) {
    print(1, `sampan-oci version ${VERSION}\nspec: 1.3.0\n`);
    return 0;
  }
  const table = commandTable();
  const [name, ...words] = flags.rest;
  if (name === undefined || name === "help" || flags.has("help")) {
    const { helpText } = await import("./help.ts");
    print(1, await helpText(table));
    return 0;
  }
  const load = Object.hasOwn(table, name) ? table[name] : undefined;
  if (name === "checkpoint" || name === "restore") throw new SampanError("unsupported", `Cannot run "${name}": checkpoints (CRIU) are not supported`);
  if (!load) throw new SampanError("invalid", `Cannot run "${name}": there is no such command`, { hint: "sampan-oci --help lists them" });
  const manager = flags.has("systemd-cgroup") ? "systemd" : (flags.value("cgroup-manager") ?? "cgroupfs");
  if (manager !== "cgroupfs" && manager !== "systemd" && manager !== "disabled")
    throw new SampanError("invalid", `Cannot use --cgroup-manager "${manager}": it is cgroupfs, systemd or disabled`);
  const root = flags.value("root") ?? DEFAULT_ROOT;
  if (!root.startsWith("/")) throw new SampanError("invalid", `Cannot use --root "${root}": it is not an absolute path`);
  const { command } = await load();
  // What follows an exec's container is that program's.
  const ours = name === "exec" ? words.slice(0, 1) : words;
  if (ours.some((word) => word === "--help" || word === "-h")) {
    print(1, `${command.summary}\n\nUsage: sampan-oci ${name} ${command.usage}\n`);
    return 0;
  }
  log.write("debug", `sampan-oci ${VERSION}: ${name}, root "${root}"`);
  return command.run(new Context(root.replace(/\/+$/, ""), log, manager), words);
}
