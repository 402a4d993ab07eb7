/**
 * A dockerd of the test's own, beside (and unseen by) any that the machine may run.
 *
 * Recipe, as verified with dockerd 20.10.24: data root, exec root, socket, pid file and configuration file in the test's
 * directory; a private mount namespace, since it binds its data root to itself; a cgroup parent of its own, which
 * it leaves behind empty; network "own" gives it a network namespace in which it may have its bridge, its iptables
 * rules and its proxies without a trace on the machine; network "host" has neither bridge nor rules, and reaches
 * a registry on the machine's loopback. It starts its own containerd, which ends with it.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runOk, testEnv, waitFor, type CommandOptions, type CommandResult } from "../command.ts";
import { trackParentCgroups } from "./hybrid.ts";

export interface DockerOptions {
  network?: "own" | "host";
  /** Further runtimes, e.g. { sampan: "/…/dist/sampan-oci" }. */
  runtimes?: Record<string, string>;
  /** Further members of daemon.json. */
  config?: Record<string, unknown>;
}

export interface Dockerd extends AsyncDisposable {
  pid: number;
  socket: string;
  /** What points a docker client at this daemon. */
  env: Record<string, string>;
  docker(args: string[], options?: CommandOptions): Promise<CommandResult>;
  /** Runs a command in the daemon's network namespace: published ports are reachable there. */
  inNetwork(command: string[], options?: CommandOptions): Promise<CommandResult>;
  importRootfs(rootfs: string, name: string): Promise<void>;
  log(): string;
}

const CLIENT = "/usr/bin/docker";

export async function startDockerd(dir: string, options: DockerOptions = {}): Promise<Dockerd> {
  mkdirSync(dir, { recursive: true });
  // A unix socket's path holds 107 bytes (unix(7)); dockerd puts containerd's below the exec root as well.
  const socket = join(dir, "d.sock");
  if (join(dir, "exec/containerd/containerd.sock").length > 107) throw new Error(`Cannot start dockerd: "${dir}" is too long for a socket's path.`);
  const cgroup = `sampan-docker-${process.pid}-${Date.now()}`;
  const removeParents = trackParentCgroups(cgroup, "docker");
  const host = options.network === "host";
  const config = {
    "cgroup-parent": `/${cgroup}`,
    "storage-driver": "overlay2",
    ...(host ? { bridge: "none", iptables: false, ip6tables: false, "ip-forward": false } : {}),
    runtimes: Object.fromEntries(Object.entries(options.runtimes ?? {}).map(([name, path]) => [name, { path }])),
    ...options.config,
  };
  writeFileSync(join(dir, "daemon.json"), JSON.stringify(config));
  const logPath = join(dir, "dockerd.log");
  const logFd = openSync(logPath, "a");
  const daemon = [
    "dockerd", "--config-file", join(dir, "daemon.json"), "--data-root", join(dir, "data"),
    "--exec-root", join(dir, "exec"), "--pidfile", join(dir, "pid"), "--host", `unix://${socket}`,
  ];
  // dockerd and runc are at home on a hybrid host, so that only the mounts need to be private.
  const args = host ? ["--mount", ...daemon] : ["--mount", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", ...daemon];
  // A containerd that dockerd has given up on leaves its stacks where temporary files go: in the test's directory with all the rest.
  const child = spawn("unshare", args, { detached: true, stdio: ["ignore", logFd, logFd], env: { ...testEnv(), TMPDIR: dir } });
  closeSync(logFd);
  const ended = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
  const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(dir, "client") };
  const docker = (words: string[], given: CommandOptions = {}): Promise<CommandResult> =>
    run([CLIENT, ...words], { timeoutMs: 60_000, ...given, env: { ...env, ...given.env } });
  const log = (): string => (existsSync(logPath) ? readFileSync(logPath, "utf8") : "");

  await waitFor("dockerd to answer", async () => {
    if (child.exitCode !== null) throw new Error(`dockerd ended at once:\n${log()}`);
    return existsSync(socket) && (await docker(["version"])).exitCode === 0;
  }, 30_000);
  const pid = Number(readFileSync(join(dir, "pid"), "utf8"));
  return {
    pid,
    socket,
    env,
    docker,
    log,
    inNetwork: (words, given) => run(["nsenter", "-t", String(pid), "-n", ...words], given),
    async importRootfs(rootfs, name) {
      await runOk(["sh", "-c", `tar -C "$1" -cf - . | ${CLIENT} import - "$2"`, "sh", rootfs, name], { env, timeoutMs: 120_000 });
    },
    async [Symbol.asyncDispose]() {
      const left = (await docker(["ps", "-aq"])).stdout.split("\n").filter((id) => id !== "");
      if (left.length > 0) await docker(["rm", "-f", ...left]);
      process.kill(pid, "SIGTERM");
      const late = setTimeout(() => {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      }, 20_000);
      await ended;
      clearTimeout(late);
      removeParents();
    },
  };
}
