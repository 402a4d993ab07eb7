import { stringArray } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import type { Process } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { ErrnoName } from "../linux/errno.ts";
import { Errno, errnoText } from "../linux/errno.ts";
import type { Fd } from "./context.ts";
import { candidates } from "./program.ts";

const X_OK = 1;
const AT_EACCESS = 0x200;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** What execve would say is said at creation, where engines expect it; as the program's user. */
export function checkProgram(line: Line, process: Process, where: string): void {
  const command = process.args?.[0] ?? "";
  const files = candidates(command, process.env ?? []);
  const single = files.length === 1;
  const what = `execute "${command}" ${where}`;
  const found = files.map((file) => line.call("faccessat2", [C.AT_FDCWD, file, X_OK, AT_EACCESS], {
    what, why: "is it there, and may it be executed", ...(single ? {} : { tolerate: ["ENOENT", "ENOTDIR", "EACCES"] as const }),
  }));
  const [first] = files;
  if (single && first !== undefined) {
    const directory = line.call("openat", [C.AT_FDCWD, first, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
      what,
      why: "a directory may be entered, which is no execution",
      tolerate: "any",
    });
    line.fail(Errno.EACCES, { what: `${what}: it is a directory`, when: { of: directory, is: "ok" } });
    return;
  }
  // Each look-up is skipped once one was successful; what is left at the end is the row's verdict.
  const chain = (at: number): void => {
    const attempt = found[at];
    if (attempt) line.unless({ of: attempt, is: "ok" }, () => { chain(at + 1); });
    else {
      for (const one of found) line.fail(Errno.EACCES, { what, why: "one was there, but not executable", when: { of: one, is: "EACCES" } });
      line.fail(Errno.ENOENT, { what: `${what}: executable file not found in $PATH`, why: "none of them was there" });
    }
  };
  chain(0);
}

/** Errnos of execve(2) that are worth telling by name. */
const TOLD: readonly ErrnoName[] = ["ENOENT", "EACCES", "ENOEXEC", "ENOTDIR", "ELOOP", "ENOMEM", "EPERM", "EINVAL", "EIO"];

/**
 * A row of execve calls; if none succeeds, the reason goes to whoever waits in the start command. Its descriptor closes at
 * execve, which is how that command knows that the program runs.
 */
export function executeTelling(line: Line, process: Process, told: Fd, where: string): void {
  const command = process.args?.[0] ?? "";
  const argv = stringArray(process.args ?? [], "argv");
  const envp = stringArray(process.env ?? [], "envp");
  const what = `execute "${command}" ${where}`;
  const attempts = candidates(command, process.env ?? []).map((file) => line.call("execve", [file, argv, envp], {
    what,
    why: "the container's program; nothing of ours is left in the process",
    tolerate: "any",
  }));
  const last = attempts.at(-1);
  for (const name of last ? TOLD : []) {
    const text = `Cannot ${what}: exec ${command}: ${errnoText(Errno[name])} (${name})`; // runc's words after the colon: callers look for them
    line.call("write", [told, text, Buffer.byteLength(text)], {
      what,
      why: "for the start command",
      tolerate: "any",
      ...(last ? { when: { of: last, is: name } } : {}),
    });
  }
  line.fail(Errno.ENOEXEC, { what, why: "nothing could be executed" });
}

/** A session keyring of the container's own: keys of the host's session are not its to see (keyrings(7)). */
export function joinKeyring(line: Line, name: string, where: string): void {
  line.call("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0], {
    what: `join a session keyring ${where}`,
    why: "the caller's keys are not the container's",
    tolerate: ["ENOSYS"],
  });
}

/** Written through the host's own /proc, while it can still be reached by a descriptor. */
export function setLabel(line: Line, label: { readonly file: string; readonly text: string }, where: string): void {
  const what = `set the label "${label.text}" ${where}`;
  const file = line.call("openat", [C.AT_FDCWD, label.file, C.O_WRONLY | C.O_CLOEXEC, 0], { what, why: "for the next execve" });
  line.call("write", [file, label.text, Buffer.byteLength(label.text)], { what, why: "the security module takes it from there" });
  line.call("close", [file], { what, why: "done with it" });
}
