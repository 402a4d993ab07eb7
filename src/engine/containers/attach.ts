import { SampanError } from "../../base/errors.ts";
import { isTerminal } from "../../base/terminal.ts";
import { planFailure, startPlan } from "../../plan/index.ts";
import { compileAttach } from "../../runtime/attach.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { AttachOptions, SessionResult } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { leaveOnAbort, throwIfCancelled } from "./abort.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { appendEvent } from "./events.ts";
import { processOf } from "./liveness.ts";
import { forwardSignals } from "./signals.ts";
import { attachedTo, connectStreams, stdioOf } from "./streams.ts";

/** Of a client that was let go because it held up the others (native/keel/monitor.c). */
const TOO_SLOW = 1;
const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

/** Connects the caller's streams to a running container until it ends or the person detaches. Any number may be attached. */
export async function attachToContainer(context: EngineContext, name: string, options: AttachOptions): Promise<SessionResult> {
  requireRoot();
  const record = context.store.containers.find(name);
  refuseUnlessRunning(context, record);
  // Written by `reserve` from a StoredConfig.
  const { request } = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  checkDetachKeys(options.detachKeys, request.detachKeys, record.name);
  const { streams } = options;
  const stdin = request.interactive ? streams.stdin : undefined;
  if (request.tty && stdin !== undefined && (typeof stdin !== "number" || !isTerminal(stdin)))
    throw new SampanError(
      "invalid",
      "cannot attach stdin to a TTY-enabled container because stdin is not a terminal: the input device is not a TTY",
      { exitCode: 1 },
    );
  const paths = containerPaths(context.paths, record.id);
  const plan = compileAttach({
    name: record.name, socket: paths.attachSocket, sigProxy: options.sigProxy,
    attach: attachedTo(streams, stdin !== undefined),
  });
  const running = await startPlan(plan, {
    keel: context.keel, directory: paths.run, stdio: stdioOf({ ...streams, stdin }),
  });
  connectStreams({ ...streams, stdin }, running);
  const stop = forwardSignals(running, { sigProxy: options.sigProxy && !request.tty, tty: request.tty });
  appendEvent(context, record, "attach");
  const stay = leaveOnAbort(running, options.signal);
  const { report } = await running.finished;
  stop();
  stay();
  throwIfCancelled(options.signal);
  const failure = planFailure(plan, report);
  if (failure && (failure.code === "ENOENT" || failure.code === "ECONNREFUSED")) throw stopped();
  if (failure) throw failure;
  if (report.state === "detached" && report.status === TOO_SLOW)
    throw new SampanError("unavailable", `Cannot stay attached to container "${record.name}": its output came faster than it was taken`, {
      hint: `Its log has all of it: sampan logs -f ${record.name}`,
      exitCode: 1,
    });
  if (report.state === "detached") return { exitCode: report.status, signal: 0, detached: true };
  if (report.state !== "exited")
    throw new SampanError("unavailable", `Cannot stay attached to container "${record.name}": its monitor closed the connection`, {
      hint: "It may have all the clients that it can serve",
      exitCode: 1,
    });
  return { exitCode: report.status, signal: report.signal, detached: false };
}

function stopped(): SampanError {
  return new SampanError("wrong-state", "You cannot attach to a stopped container, start it first", { exitCode: 1 });
}

function refuseUnlessRunning(context: EngineContext, record: ContainerRecord): void {
  if (record.status === "paused") throw new SampanError("wrong-state", "You cannot attach to a paused container, unpause it first", { exitCode: 1 });
  if (record.status === "restarting")
    throw new SampanError("wrong-state", "You cannot attach to a restarting container, wait until it is running", { exitCode: 1 });
  if (!processOf(context, record)) throw stopped();
}

/** The monitor looks for one sequence, that of the container's start; another one is refused, not ignored. */
function checkDetachKeys(wanted: string | undefined, started: string | undefined, name: string): void {
  if (wanted === undefined) return;
  const own = started ?? DEFAULT_DETACH_KEYS;
  if (Buffer.compare(parseDetachKeys(wanted), parseDetachKeys(own)) === 0) return;
  throw new SampanError("unsupported", `Cannot use detach keys "${wanted}" with container "${name}": it was started with "${own}"`, {
    exitCode: 1,
    hint: "Leave out --detach-keys",
  });
}
