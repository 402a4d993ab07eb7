import { Block, Plan, runPlan, stringArray } from "../../plan/index.ts";
import * as C from "../../linux/constants.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { processAt } from "../processes.ts";
import { signalProcess } from "./end.ts";
import { ownerOf } from "./liveness.ts";
import { LONGEST_MS } from "./restart-policy.ts";

const CLOCK_BOOTTIME = 7;

/**
 * Sees to it that a container in "restarting" is started when it is due: a process of keel's, with no memory to speak of, sleeps until
 * then and becomes `sampan system finish ID`, which does what is due. It owns the container meanwhile; whoever stops or removes
 * the container kills it. If it is killed by somebody else, the next one who looks makes another.
 */
export async function armRestart(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord | undefined> {
  const { containers } = context.store;
  const command = context.options.command;
  if (command.length === 0) {
    // A library without the executable beside it: nobody could be woken.
    containers.transition(record.id, ["restarting"], "exited", {
      revision: record.revision,
      fields: { error: "Cannot restart the container: the sampan executable was not found" },
    });
    return containers.get(record.id);
  }
  // No longer than any back-off, wherever somebody has set the clock to.
  const delayMs = Math.min(LONGEST_MS, Math.max(0, (record.nextRestartMs ?? 0) - Date.now()));
  const argv = [...command, "--root", context.paths.root, "--state", context.paths.state, "system", "finish", record.id];
  const report = await runPlan(sleeper(delayMs, argv), { keel: context.keel, directory: context.paths.state, stdio: ["ignore", "ignore", "ignore"] });
  const owner = processAt(report.childPid);
  const { moved, container } = containers.transition(record.id, ["restarting"], "restarting", {
    revision: record.revision, fields: { monitorPid: report.childPid, monitorStartTime: owner?.startTime ?? 0, bootId: context.bootId },
  });
  // Somebody stopped it, removed it or armed it in between.
  if (!moved && owner !== undefined) signalProcess(owner, C.SIGKILL);
  return container;
}

/** Ends the sleep of one who would start it. */
export function disarmRestart(context: EngineContext, record: ContainerRecord): void {
  const owner = ownerOf(context, record);
  if (owner !== undefined && owner.pid !== process.pid) signalProcess(owner, C.SIGKILL);
}

/** A child of nobody's that sleeps, then becomes a program. */
function sleeper(delayMs: number, argv: readonly string[]): Plan {
  const plan = new Plan();
  const { outer, inner } = plan;
  const what = "wait for the next restart";
  outer.stage("restart");
  outer.clone(new Block(88, "struct clone_args").u64(32, C.SIGCHLD), 88, { what, why: "a process of its own" });
  outer.exit(0, { what, why: "nobody waits for it" });
  inner.stage("restart");
  inner.call("setsid", [], { what, why: "no terminal's signals reach it" });
  inner.call("chdir", ["/"], { what, why: "it keeps no directory busy" });
  inner.call("rt_sigprocmask", [C.SIG_SETMASK, new Block(8, "sigset_t"), null, 8], { what, why: "keel runs with all signals blocked" });
  const time = new Block(16, "struct timespec").u64(0, Math.floor(delayMs / 1000)).u64(8, Math.round((delayMs % 1000) * 1_000_000));
  inner.call("clock_nanosleep", [CLOCK_BOOTTIME, 0, time, null], { what, why: "the back-off: it goes on while the machine is suspended" });
  inner.call("close_range", [3, 0xffffffff, 0], { what, why: "nothing of keel's goes on" });
  const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  inner.call("execve", [argv[0] ?? "", stringArray(argv, "argv"), stringArray(environment, "envp")], {
    what,
    why: "it starts the container, if that is still wanted",
  });
  return plan;
}
