import { SampanError } from "../../base/errors.ts";
import { planFailure } from "../../plan/index.ts";
import type { Command } from "../commands.ts";
import type { Context } from "../context.ts";
import { execInContainer } from "../exec.ts";
import type { Flags } from "../flags.ts";
import { parseFlags } from "../flags.ts";
import { forwardSignals } from "../forward.ts";
import { writePidFile, writeWhenKnown } from "../pid-file.ts";
import { sendToPid } from "../send.ts";

const FLAGS = [
  "console-socket=", "cwd=", "env e=", "tty t", "user u=", "additional-gids g=", "process p=", "detach d", "pid-file=", "process-label=", "apparmor=",
  "no-new-privs", "cap c=", "preserve-fds=", "ignore-paused", "pidfd-socket=", "cgroup=",
];

export const command: Command = {
  summary: "Run one more process in a container",
  usage: "[--detach] [--tty] [--user UID[:GID]] [--env K=V]... [--cwd DIR] [--cap NAME]... [--process FILE] [--console-socket PATH] [--pid-file PATH] [--pidfd-socket PATH] [--preserve-fds N] [--cgroup [CONTROLLER:]PATH]... [--ignore-paused] ID [COMMAND [ARG]...]",
  async run(context, words) {
    const flags = parseFlags("exec", words, FLAGS, { stopAtFirst: true });
    const [id, ...args] = flags.rest;
    if (id === undefined) throw new SampanError("invalid", 'Cannot run "exec": it takes <container-id> and a command, and nothing was given');
    try {
      return await runProcess(context, id, flags, args);
    } catch (error) {
      // Callers tell it from the program's own exit status by this, as runc has it.
      if (error instanceof SampanError) throw new SampanError(error.kind, error.message, { hint: error.hint, code: error.code, exitCode: 255, cause: error });
      throw error;
    }
  },
};

async function runProcess(context: Context, id: string, flags: Flags, args: readonly string[]): Promise<number> {
  const { plan, running } = await execInContainer(context, id, flags, args);
  const release = flags.has("detach") ? undefined : forwardSignals(running);
  const pidFile = flags.value("pid-file");
  const started = (): number | undefined => (running.peek() === "started" ? running.born()?.child : undefined);
  const told = pidFile === undefined || flags.has("detach")
    ? Promise.resolve(false)
    : writeWhenKnown(started, (pid) => { writePidFile(pidFile, pid); }, running.finished);
  told.catch(() => { running.kill(9); }); // a caller that cannot know the process does not get it; thrown below
  const { code, report } = await running.finished;
  release?.();
  const failure = report.failure === undefined ? undefined : planFailure(await plan(), report);
  if (failure) throw (await import("../failure.ts")).explain(failure, report, "");
  try {
    if (!(await told) && pidFile !== undefined) writePidFile(pidFile, report.childPid);
  } catch (error) {
    if (flags.has("detach")) sendToPid(report.childPid, 9);
    throw error;
  }
  return code;
}
