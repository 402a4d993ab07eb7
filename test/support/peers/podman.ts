/**
 * `podman` and `buildah` with storage and configuration of their own.
 *
 * Recipe, as verified with podman 4.3.1 and buildah 1.28.2: CONTAINERS_CONF and CONTAINERS_STORAGE_CONF name files in
 * the test's directory; cgroup_manager cgroupfs (no systemd), events to nowhere; default_ulimits no higher than
 * the caller's hard limits (podman's own default of 1048576 makes every run fail with EPERM where the limit is lower);
 * each call in a private mount namespace (hybrid.ts). Containers started with -d live on in theirs, and later calls
 * still find them. Its locks are files of its own, not one piece of shared memory for the machine. tmp_dir has a short path of its own: below it lies socket/<64 digits>/attach, and where that is over the 107
 * bytes of a unix socket's path, podman says nothing and waits 20 s. /libpod_parent in every cgroup hierarchy is left by podman and removed at the end.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runOk, type CommandOptions, type CommandResult } from "../command.ts";
import { removeTree } from "../trees.ts";
import { inPrivateMounts, trackParentCgroups } from "./hybrid.ts";

export interface Podman extends AsyncDisposable {
  env: Record<string, string>;
  /** The words to put before podman's own arguments, with `env` in force. */
  command: string[];
  podman(args: string[], options?: CommandOptions): Promise<CommandResult>;
  buildah(args: string[], options?: CommandOptions): Promise<CommandResult>;
  /** Makes a root directory an image, named "localhost/NAME". */
  importRootfs(rootfs: string, name: string): Promise<void>;
}

/** podman 4.3 itself has at most 32768 processes as its hard limit, whatever its caller had. */
const MOST_PROCESSES = 32_768;

/** The caller's hard limit, of at most `most`. */
function hardLimit(name: string, most: number): number {
  const line = readFileSync("/proc/self/limits", "utf8").split("\n").find((entry) => entry.startsWith(name));
  const hard = line?.slice(name.length).trim().split(/\s+/)[1];
  return hard === undefined || hard === "unlimited" ? most : Math.min(Number(hard), most);
}

/** Options for a Podman in `dir`, e.g. `["runtime = \"/path/sampan-oci\""]` for its [engine] section. */
export function createPodman(dir: string, engineLines: string[] = ['runtime = "crun"']): Podman {
  mkdirSync(dir, { recursive: true });
  const [files, processes] = [hardLimit("Max open files", 1_048_576), hardLimit("Max processes", MOST_PROCESSES)];
  const short = mkdtempSync("/tmp/sp-");
  const containersConf = join(dir, "containers.conf");
  const storageConf = join(dir, "storage.conf");
  writeFileSync(
    containersConf,
    `[containers]
default_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]
[network]
network_config_dir = "${join(dir, "networks")}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "${short}"
lock_type = "file"
${engineLines.join("\n")}
`,
  );
  writeFileSync(storageConf, `[storage]\ndriver = "overlay"\ngraphroot = "${join(dir, "root")}"\nrunroot = "${join(dir, "run")}"\n`);
  const removeParents = trackParentCgroups("libpod_parent", "buildah");
  const env = { CONTAINERS_CONF: containersConf, CONTAINERS_STORAGE_CONF: storageConf };
  // conmon leaves a file "oom" where it is started when memory has run out.
  const call = (tool: string, args: string[], options: CommandOptions = {}): Promise<CommandResult> =>
    run(inPrivateMounts([tool, ...args]), { timeoutMs: 60_000, cwd: dir, ...options, env: { ...env, ...options.env } });
  return {
    env,
    command: inPrivateMounts(["podman"]),
    podman: (args, options) => call("podman", args, options),
    buildah: (args, options) => call("buildah", args, options),
    async importRootfs(rootfs, name) {
      await runOk(["sh", "-c", `tar -C "$1" -cf - . | ${inPrivateMounts(["podman"]).map(quote).join(" ")} import -q - "$2"`, "sh", rootfs, `localhost/${name}`], { env, timeoutMs: 120_000 });
    },
    async [Symbol.asyncDispose]() {
      await call("podman", ["rm", "-af", "-t", "0"]);
      await call("buildah", ["rm", "-a"]);
      removeParents();
      removeTree(short);
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
