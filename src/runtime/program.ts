import { SampanError } from "../base/errors.ts";
import { Block, stringArray } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import type { Process } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import { Errno } from "../linux/errno.ts";
import type { Fd } from "./context.ts";
import { openInRoot } from "./resolve.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The working directory: made if missing (as Docker does), resolved inside the root, never through a magic link. */
export function enterDirectory(line: Line, cwd: string, where: string): void {
  const what = `enter the working directory "${cwd}" ${where}`;
  if (cwd === "/" || cwd === "") {
    line.call("chdir", ["/"], { what, why: "the root" });
    return;
  }
  const root = line.call("openat", [C.AT_FDCWD, "/", C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the container's root, which we are in" });
  const directory = openInRoot(line, root, cwd, { flags: C.O_PATH | C.O_DIRECTORY, what, why: "a magic link (/proc/self/fd/N) is no way in (CVE-2024-21626)" });
  line.call("fchdir", [directory], { what, why: "process.cwd" });
  line.call("getcwd", [new Block(4096, "char[4096]"), 4096], { what, why: "fails if it were outside of the root" });
}

/** The files that execve is to try, as execvp(3) would, with the container's own PATH. */
export function candidates(command: string, env: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory.replace(/\/+$/, "")}/${command}`);
}

/** The calls by which a failed start is told: the first errno that says more than "not there". */
export interface ExecCalls {
  readonly attempts: readonly Call[];
}

/**
 * A row of execve calls, one per directory of PATH. If none succeeds: EACCES if one was there but not allowed, ENOENT if
 * none was; any other errno at once.
 */
export function execute(line: Line, process: Process, where: string): ExecCalls {
  const args = process.args ?? [];
  const command = args[0];
  if (command === undefined || command === "") throw new SampanError("invalid", `Cannot start ${where}: no command was given`, { exitCode: 125 });
  const argv = stringArray(args, "argv");
  const envp = stringArray(process.env ?? [], "envp");
  const what = `execute "${command}" ${where}`;
  const files = candidates(command, process.env ?? []);
  const attempts = files.map((file) =>
    line.call("execve", [file, argv, envp], {
      what, why: "the container's program; nothing of ours is left in the process",
      ...(files.length === 1 ? {} : { tolerate: ["ENOENT", "ENOTDIR", "EACCES"] as const }),
    }));
  if (files.length > 1) {
    for (const attempt of attempts) line.fail(Errno.EACCES, { what, why: "one was there, but not executable", when: { of: attempt, is: "EACCES" } });
    line.fail(Errno.ENOENT, { what: `execute "${command}" ${where}: executable file not found in $PATH`, why: "none of them was there" });
  }
  return { attempts };
}

/** Everything but 0, 1, 2 (and descriptors to keep) is marked to close; signals are as a new program expects them. */
export function cleanProcess(line: Line, umask: number, keepBelow: number, where: string): void {
  line.call("umask", [umask], { what: `set the umask ${where}`, why: "the usual one" });
  line.call("close_range", [keepBelow, 0xffffffff, C.CLOSE_RANGE_CLOEXEC], {
    what: `close descriptors ${where}`,
    why: "none of the host's survives into the container (CVE-2024-21626, CVE-2016-9962)",
  });
  line.call("rt_sigprocmask", [C.SIG_SETMASK, new Block(8, "sigset_t"), null, 8], {
    what: `unblock signals ${where}`,
    why: "keel runs with all of them blocked",
  });
}

/** Besides the streams the one descriptor that keel's init knows of (native/keel/README.md, INIT). */
const OF_THE_PROGRAM = 3;

/**
 * Before init, which has what the program has and executes nothing: a mark would close none of it, whoever looks into PID 1 would find
 * the host's directories there, and a filter may forbid to close them later. `kept` is the pipe that closes at execve.
 */
export function closeForInit(line: Line, kept: Fd | undefined, where: string): void {
  const what = `close descriptors ${where}`;
  if (kept !== undefined) line.call("dup3", [kept, OF_THE_PROGRAM, C.O_CLOEXEC], { what, why: "init closes this one by its number", tolerate: ["EINVAL"] });
  line.call("close_range", [kept === undefined ? OF_THE_PROGRAM : OF_THE_PROGRAM + 1, 0xffffffff, 0], { what, why: "init stays, and none of the host's may be open in it (CVE-2024-21626)" });
}

/** Where processes of others are in the same pid namespace. It ends with execve(2). */
export function hideFromOthers(line: Line, where: string): void {
  line.call("prctl", [C.PR_SET_DUMPABLE, 0, 0, 0, 0], { what: `hide from the processes ${where}`, why: "no process inside may trace this one or open its descriptors before it has become the program (CVE-2016-9962)" });
}

/** The process dies with its parent: a container without its monitor would have nobody to report its end. */
export function dieWithParent(line: Line, where: string): void {
  line.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0], {
    what: `tie the program to its monitor ${where}`,
    why: "if the monitor is killed, so is the container",
  });
}

export type { Fd };
