/**
 * Runs a document's commands, in order, in one bash, with an engine, a home and a directory of the document's own, the
 * built executables first in PATH. What a document may ask for:
 *
 *   busybox     an image `busybox`, made of the static busybox of this machine
 *   registry    a registry on the loopback address that $REGISTRY names
 *   repository  the commands are run in the repository itself
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { TOOL_PATH } from "../../scripts/support/packages.ts";
import { testEnv } from "./command.ts";
import { matchesExpected, type DocumentScript, type Step } from "./docs.ts";
import { dockerRegistry } from "./peers/registry.ts";
import { openPty } from "./pty.ts";
import { busyboxRootfs, packRootfs } from "./rootfs.ts";
import { createSandbox, REPOSITORY, SAMPAN } from "./sandbox.ts";

export interface StepResult {
  readonly step: Step;
  readonly output: string;
  readonly exitCode: number;
  /** Undefined if everything is as the document says. */
  readonly problem: string | undefined;
}

const STEP_TIMEOUT_MS = 20_000;

interface Shell extends AsyncDisposable {
  run(command: string): Promise<{ output: string; exitCode: number }>;
}

/** A bash that reads commands from a pipe and says after each, on a line of its own, how it ended. */
function openShell(env: Record<string, string>, cwd: string): Shell {
  const child = spawn("bash", ["--norc", "--noprofile"], { cwd, env: testEnv(env), stdio: ["pipe", "pipe", "inherit"], detached: true });
  let pending = "";
  let wake: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => child.once("close", () => { resolve(); }));
  void gone.then(() => { wake(); });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    pending += text;
    wake();
  });
  child.stdin.on("error", () => undefined); // It ended: the wait for its mark says so.
  child.stdin.write("exec 2>&1\n");
  let count = 0;
  return {
    async run(command) {
      const mark = `end-of-step-${(count += 1)}-${process.pid}`;
      // No subshell, so that `cd` and variables stay; of what is still to be run a command can read nothing.
      child.stdin.write(`eval '${command.replaceAll("'", "'\\''")}' </dev/null\nprintf '%s %d\\n' ${mark} $?\n`);
      const until = performance.now() + STEP_TIMEOUT_MS;
      for (;;) {
        const end = new RegExp(`${mark} (\\d+)\\n`).exec(pending);
        if (end !== null) {
          const output = pending.slice(0, end.index);
          pending = pending.slice(end.index + end[0].length);
          return { output, exitCode: Number(end[1]) };
        }
        const left = until - performance.now();
        if (left <= 0 || child.exitCode !== null || child.signalCode !== null) throw new Error(`"${command}" did not end within ${STEP_TIMEOUT_MS / 1000} s; it printed: ${pending}`);
        await new Promise<void>((resolve) => {
          const limit = setTimeout(resolve, Math.min(left, 1_000));
          wake = () => { clearTimeout(limit); resolve(); };
        });
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
      await gone;
    },
  };
}

/** A prompt of a shell: "# " or "$ ", at the end of what was shown. */
const PROMPT = /[#$] (?:\u001b\[6n)?$/;
/** The first npx in a clone puts the package into npm's cache, which on a busy machine takes its time. */
const PATIENCE_MS = 60_000;

async function runOnTerminal(step: Step, env: Record<string, string>, cwd: string): Promise<StepResult> {
  await using pty = await openPty(["bash", "--norc", "--noprofile", "-c", step.command], { env: { ...env, PS1: "# " }, cwd, cols: 200 });
  let problem: string | undefined;
  for (const { text, expected } of step.typed) {
    await pty.expect(PROMPT, PATIENCE_MS);
    const before = pty.output.length;
    pty.send(`${text}\n`);
    await pty.expect("\r\n");
    if (text === "exit") break;
    await pty.expect(PROMPT, PATIENCE_MS);
    const shown = pty.output.slice(before).replaceAll("\r", "").split("\n").slice(1, -1).join("\n");
    if (!matchesExpected(expected, shown)) problem ??= `"${text}" typed in it printed:\n${shown}`;
    pty.send("\n"); // The prompt was taken; ask for another.
    await pty.expect("\r\n");
  }
  const { exitCode } = await pty.exited;
  return { step, output: pty.output, exitCode: exitCode ?? -1, problem };
}

/** A bash's words about itself, a line number of its own among them, are not the document's. */
function plain(output: string): string {
  return output.replace(/^bash: line \d+: /gm, "bash: ");
}

export async function runDocument(document: DocumentScript, onResult: (result: StepResult) => void): Promise<void> {
  await using sandbox = createSandbox();
  await using undo = new AsyncDisposableStack();
  const cwd = document.setup.includes("repository") ? REPOSITORY : join(sandbox.dir, "work");
  const home = join(sandbox.dir, "home");
  mkdirSync(cwd, { recursive: true });
  mkdirSync(home);
  const env: Record<string, string> = { ...sandbox.env, HOME: home, PATH: `${dirname(SAMPAN)}:${TOOL_PATH}:${process.env["PATH"] ?? ""}`, PWD: cwd };
  if (document.setup.includes("busybox")) {
    const rootfs = await busyboxRootfs(join(sandbox.dir, "busybox"));
    await sandbox.ok(["import", await packRootfs(rootfs, join(sandbox.dir, "busybox.tar")), "busybox"]);
  }
  if (document.setup.includes("registry")) {
    env["REGISTRY"] = undo.use(await dockerRegistry(join(sandbox.dir, "registry"))).host;
  }
  const shell = undo.use(openShell(env, cwd));
  for (const step of document.steps) {
    if (step.terminal) {
      const result = await runOnTerminal(step, env, cwd);
      onResult(result.exitCode === step.exitCode ? result : { ...result, problem: result.problem ?? `it ended with ${result.exitCode}` });
      continue;
    }
    const { output: raw, exitCode } = await shell.run(step.command);
    const output = plain(raw);
    const problem = exitCode !== step.exitCode ? `it ended with ${exitCode} and printed:\n${output}` : matchesExpected(step.expected, output) ? undefined : `it printed:\n${output}`;
    onResult({ step, output, exitCode, problem });
  }
}
