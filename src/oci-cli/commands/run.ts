import { isAlive } from "../../runtime/processes.ts";
import type { Command } from "../commands.ts";
import type { Context } from "../context.ts";
import type { Created } from "../create.ts";
import { createContainer } from "../create.ts";
import { count, parseFlags, positional } from "../flags.ts";
import { forwardSignals } from "../forward.ts";
import { writeWhenKnown } from "../pid-file.ts";
import { readInit } from "../state.ts";

const FLAGS = [
  "bundle b=", "config f=", "console-socket=", "pidfd-socket=", "pid-file=", "preserve-fds=", "no-pivot", "no-new-keyring", "detach d",
  "keep", "no-subreaper",
];

export const command: Command = {
  summary: "Make a container, start it and, unless detached, wait for its end and delete it",
  usage: "[--bundle DIR] [--config FILE] [--detach] [--keep] [--console-socket PATH] [--pidfd-socket PATH] [--pid-file PATH] [--preserve-fds N] [--no-pivot] [--no-new-keyring] ID",
  async run(context, words) {
    const flags = parseFlags("run", words, FLAGS);
    const [id = ""] = positional("run", flags, ["container-id"]);
    const detach = flags.has("detach");
    const pidFile = flags.value("pid-file");
    const created = await createContainer(context, id, {
      bundle: flags.value("bundle") ?? ".", config: flags.value("config"), consoleSocket: flags.value("console-socket"),
      pidfdSocket: flags.value("pidfd-socket"), pidFile,
      preserveFds: count("run", flags, "preserve-fds"), noPivot: flags.has("no-pivot"), noNewKeyring: flags.has("no-new-keyring"),
      end: detach ? "started" : "exited",
    });
    if (detach) {
      const { report } = await created.settle();
      await created.tellPid(report.childPid);
      const failure = created.ownPoststart ? await runPoststart(context, created) : undefined;
      if (!failure) return 0;
      await removeContainer(context, created);
      throw failure;
    }
    const release = forwardSignals(created.running);
    const finished = created.settle();
    // keel writes down the first process's identity at its birth.
    const told = pidFile === undefined ? undefined : writeWhenKnown(() => readInit(created.files)?.pid, created.tellPid, finished);
    told?.catch(() => undefined); // it is thrown below, once the container has gone
    const failedHook = created.ownPoststart ? poststart(context, created, finished) : Promise.resolve(undefined);
    const { code } = await finished;
    await told;
    release();
    const failure = await failedHook;
    if (!flags.has("keep") || failure) await removeContainer(context, created);
    if (failure) throw failure;
    return code;
  },
};

/** When the program runs; one that is through in no time has run, too. Gives what failed. */
async function poststart(context: Context, created: Created, finished: Promise<unknown>): Promise<Error | undefined> {
  const { files, config } = created;
  if ((config.hooks?.poststart ?? []).length === 0) return undefined;
  let failure: Error | undefined;
  const started = (): number | undefined => (created.hasStarted() ? readInit(files)?.pid : undefined);
  const seen = await writeWhenKnown(started, async () => { failure = await runPoststart(context, created); }, finished);
  if (seen) return failure;
  const succeeded = await finished.then(() => true, () => false);
  return succeeded ? runPoststart(context, created) : undefined;
}

/** A hook that fails stops the container, too (runtime.md "Lifecycle", 9). */
async function runPoststart(context: Context, { files, config, state }: Created): Promise<Error | undefined> {
  const init = readInit(files);
  try {
    const { runHooks } = await import("../destroy.ts");
    await runHooks(context, { state, files, init }, config, "poststart", "running");
    return undefined;
  } catch (error) {
    if (init && isAlive(init)) process.kill(init.pid, "SIGKILL");
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function removeContainer(context: Context, { state, files, config }: Created): Promise<void> {
  const { destroy } = await import("../destroy.ts");
  await destroy(context, { state, files, init: undefined }, config);
}
