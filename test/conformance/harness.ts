/**
 * What a clause is: one thing that the runtime specification demands, and how its effect is seen. The same clauses run
 * against the runtime under test and against runc, which proves the clause's test and not only us.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ociBundle, type BundleConfig } from "../support/bundle.ts";
import { run, type CommandOptions, type CommandResult } from "../support/command.ts";
import { installProbe, parseFacts, type GuestFacts } from "../support/guest.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { SAMPAN_OCI } from "../support/sandbox.ts";

export interface Clause {
  /** Where the specification says so: file and heading. */
  readonly section: string;
  /** What it demands, in our words. */
  readonly text: string;
  /** Why Debian's runc does not do it; the clause is not run against it. */
  readonly notRunc?: string;
  readonly prove: (runtime: Runtime) => Promise<void>;
}

export interface RunOutcome extends CommandResult {
  readonly id: string;
}

export interface Runtime {
  readonly name: "sampan-oci" | "runc";
  readonly dir: string;
  readonly rootfs: string;
  /** `RUNTIME --root … ARGS`. */
  call(args: string[], options?: CommandOptions): Promise<CommandResult>;
  /** A bundle of its own: the program's arguments, and what is changed in runc's default config. */
  bundle(args: string[], change?: (config: Config) => void): Promise<{ dir: string; id: string }>;
  /** Makes a bundle, runs it to its end, and gives what it said. */
  run(args: string[], change?: (config: Config) => void, options?: CommandOptions): Promise<RunOutcome>;
  /** As `run`, with the probe as the program. */
  facts(change?: (config: Config) => void): Promise<GuestFacts>;
  /** A shell script in the container; its standard output. Throws unless it ends with 0. */
  sh(script: string, change?: (config: Config) => void): Promise<string>;
  /** The config is refused: exit code, and nothing of the container left. Gives the message. */
  refuses(change: (config: Config) => void): Promise<string>;
  /** The lifecycle by hand; the container is deleted afterwards whatever happens. */
  lifecycle<T>(args: string[], change: ((config: Config) => void) | undefined, work: (id: string, bundle: string) => Promise<T>): Promise<T>;
}

/** As much of config.json as clauses touch. */
export interface Config extends BundleConfig {
  process: BundleConfig["process"] & { user: Record<string, unknown>; env: string[]; cwd: string; capabilities?: Record<string, string[]> };
  linux: BundleConfig["linux"] & {
    namespaces: { type: string; path?: string }[]; resources?: Record<string, unknown>; maskedPaths?: string[]; readonlyPaths?: string[];
  };
  mounts: { destination: string; type?: string; source?: string; options?: string[]; [key: string]: unknown }[];
  hooks?: Record<string, unknown[]>;
  annotations?: Record<string, string>;
  hostname?: string;
}

const executable = SAMPAN_OCI;
let serial = 0; // of ids within this process

export async function createRuntime(name: Runtime["name"], dir: string): Promise<Runtime> {
  const file = name === "runc" ? "runc" : executable;
  const rootfs = join(dir, "rootfs");
  if (!existsSync(rootfs)) {
    await busyboxRootfs(rootfs);
    await installProbe(rootfs);
    chmodSync(dir, 0o711);
  }
  const root = join(dir, "state");
  const call: Runtime["call"] = (args, options) => run([file, "--root", root, "--log", join(dir, "log"), ...args], options);
  const bundle: Runtime["bundle"] = async (args, change) => {
    serial += 1;
    const id = `conf-${process.pid}-${serial}`;
    const path = await ociBundle(join(dir, id), {
      rootfs, args, spec: "runc", cgroupsPath: `/sampan-test-${id}`,
      change: (config) => {
        const typed = config as Config; // runc's own default, whose fields these are
        // What neither runtime can raise: it would be a warning on every run.
        if (typed.process.capabilities) delete typed.process.capabilities["ambient"];
        change?.(typed);
      },
    });
    return { dir: path, id };
  };
  const runBundle: Runtime["run"] = async (args, change, options) => {
    const made = await bundle(args, change);
    return { ...(await call(["run", "--bundle", made.dir, made.id], options)), id: made.id };
  };
  return {
    name, dir, rootfs, call, bundle, run: runBundle,
    async facts(change) {
      const result = await runBundle(["/probe"], change);
      if (result.exitCode !== 0) throw new Error(`The probe ended with ${result.exitCode}: ${result.stderr}${readLog(dir)}`);
      return parseFacts(result.stdout);
    },
    async sh(script, change) {
      const result = await runBundle(["/bin/sh", "-c", script], change);
      if (result.exitCode !== 0) throw new Error(`The script ended with ${result.exitCode}: ${result.stdout}${result.stderr}`);
      return result.stdout;
    },
    async refuses(change) {
      const made = await bundle(["/bin/true"], change);
      const result = await run(["sh", "-c", '"$@" </dev/null >/dev/null 2>"$0"', join(made.dir, "err"), file, "--root", root, "create", "--bundle", made.dir, made.id]);
      if (result.exitCode === 0) {
        await call(["delete", "--force", made.id]);
        throw new Error("The config was taken.");
      }
      if ((await call(["state", made.id])).exitCode === 0) throw new Error("Something of the container is left.");
      return readFileSync(join(made.dir, "err"), "utf8");
    },
    async lifecycle(args, change, work) {
      const made = await bundle(args, change);
      // With files as streams: a container that lives on would hold a pipe open.
      const created = await run(["sh", "-c", '"$@" </dev/null >"$0" 2>&1', join(made.dir, "out"), file, "--root", root, "create", "--bundle", made.dir, made.id]);
      if (created.exitCode !== 0) throw new Error(`create: ${readFileSync(join(made.dir, "out"), "utf8")}`);
      try {
        return await work(made.id, made.dir);
      } finally {
        await call(["delete", "--force", made.id]);
      }
    },
  };
}

function readLog(dir: string): string {
  const path = join(dir, "log");
  return existsSync(path) ? readFileSync(path, "utf8").slice(-600) : "";
}

/** A script on the host that hooks can be; it appends to a file. */
export function hookScript(dir: string, name: string, body: string): string {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

export async function stateOf(runtime: Runtime, id: string): Promise<{ status: string; pid: number; [key: string]: unknown }> {
  const result = await runtime.call(["state", id]);
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as { status: string; pid: number }; // runtime.md "State"
}

export function namespace(config: Config, type: string): { type: string; path?: string } {
  const found = config.linux.namespaces.find((entry) => entry.type === type);
  if (found) return found;
  const made: { type: string; path?: string } = { type };
  config.linux.namespaces.push(made);
  return made;
}
