import type { Engine as EngineApi, ExecRequest } from "../engine/index.ts";
import { signalName } from "../engine/containers/signal-numbers.ts";
import { Deadline } from "./cancel.ts";
import type { Cancellable } from "./cancel.ts";
import { checkAttachOptions, checkExecOptions } from "./check.ts";
import { Collected } from "./collected.ts";
import type { ContainerOptions } from "./options.ts";
import { environmentOf } from "./options.ts";
import type { ExitResult, ProgramResult } from "./result.ts";
import type { Input } from "./streams.ts";
import { bytesOf, ProgramStream } from "./streams.ts";

/** Aborting or running out of time kills the program that was started, and not what it has started itself; the container lives on. */
export interface ExecOptions extends Cancellable, Partial<Pick<ExecRequest, "privileged" | "user" | "workdir">> {
  readonly env?: NonNullable<ContainerOptions["env"]>;
  readonly stdin?: Input;
  /** Kill it after so long, and reject with kind "cancelled" and code "ETIMEDOUT". */
  readonly timeoutMs?: number;
}

export interface ExecResultOptions extends ExecOptions {
  /** As for `run`. */
  readonly maxOutputBytes?: number;
}

export async function execToEnd(engine: EngineApi, id: string, command: readonly string[], options: ExecResultOptions): Promise<ProgramResult> {
  checkExecOptions(command, options);
  using deadline = deadlineOf(id, command, options);
  const output = new Collected(deadline, options.maxOutputBytes);
  const started = performance.now();
  const end = await exec(engine, id, command, options, deadline, output);
  const { stdoutBytes, stderrBytes } = await output.all();
  return {
    ...end, stdout: stdoutBytes.toString("utf8"), stderr: stderrBytes.toString("utf8"), stdoutBytes, stderrBytes,
    durationMs: performance.now() - started,
  };
}

export function execStreaming(engine: EngineApi, id: string, command: readonly string[], options: ExecOptions): ProgramStream<ExitResult> {
  checkExecOptions(command, options);
  const deadline = deadlineOf(id, command, options);
  return new ProgramStream(deadline, (takers) => exec(engine, id, command, options, deadline, takers));
}

function deadlineOf(id: string, command: readonly string[], { signal, timeoutMs }: ExecOptions): Deadline {
  return new Deadline(signal, timeoutMs, `"${command.join(" ")}" in container "${id.slice(0, 12)}"`);
}

async function exec(
  engine: EngineApi,
  id: string,
  command: readonly string[],
  options: ExecOptions,
  deadline: Deadline,
  takers: Pick<Collected, "stdout" | "stderr">,
): Promise<ExitResult> {
  const { stdin, env, privileged, user, workdir } = options;
  const request: ExecRequest = {
    command, tty: false, interactive: stdin !== undefined, detach: false, privileged: privileged ?? false, env: environmentOf(env), user,
    workdir,
  };
  try {
    const { exitCode, signal } = await engine.containers.exec(id, request, {
      streams: { stdout: takers.stdout, stderr: takers.stderr, ...(stdin === undefined ? {} : { stdin: bytesOf(stdin, deadline) }) },
      signal: deadline.signal, sigProxy: false,
    });
    return { exitCode, signal: signalName(signal) };
  } catch (error) {
    throw deadline.explain(error);
  }
}

/** Connects to a container's own program: its output as it comes, until it ends or the caller leaves. */
export function attachStreaming(engine: EngineApi, id: string, options: { readonly stdin?: Input } & Cancellable): ProgramStream<ExitResult> {
  checkAttachOptions(options);
  const { stdin, signal } = options;
  const deadline = new Deadline(signal, undefined, `the attachment to container "${id.slice(0, 12)}"`);
  return new ProgramStream(deadline, async ({ stdout, stderr }) => {
    try {
      const streams = { stdout, stderr, ...(stdin === undefined ? {} : { stdin: bytesOf(stdin, deadline) }) };
      const end = await engine.containers.attach(id, { streams, signal: deadline.signal, sigProxy: false });
      return { exitCode: end.exitCode, signal: signalName(end.signal) };
    } catch (error) {
      throw deadline.explain(error);
    }
  });
}
