/** What callers and hooks of a runtime rely on, beyond the specification's words: where hooks run, what is open, who is killed. Needs root. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ociBundle, type BundleConfig } from "../support/bundle.ts";
import { run, waitFor, type CommandResult } from "../support/command.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createTempDir, SAMPAN_OCI } from "../support/sandbox.ts";

let temp: ReturnType<typeof createTempDir>;
let rootfs: string;

const oci = (args: string[]): Promise<CommandResult> => run([SAMPAN_OCI, "--root", join(temp.path, "state"), ...args]);
/** A container that lives on must not hold the test's pipes. */
const quiet = (args: string[]): Promise<CommandResult> => run(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1', "sh", SAMPAN_OCI, "--root", join(temp.path, "state"), ...args]);

function bundle(name: string, args: string[], change: (config: BundleConfig) => void): Promise<string> {
  return ociBundle(join(temp.path, name), { rootfs, args, spec: "runc", change });
}

beforeAll(async () => {
  temp = createTempDir("oci-callers-");
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
}, 60_000);
afterAll(() => { temp[Symbol.dispose](); });

test("hooks of the runtime run in its namespaces though the container joins another's, and createContainer finds the root filesystem", async () => {
  const owner = await bundle("owner", ["/bin/sleep", "60"], () => undefined);
  expect((await quiet(["run", "-d", "-b", owner, "owner"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "owner"])).stdout) as { pid: number };
  const log = join(temp.path, "hooks.log");
  const joiner = await bundle("joiner", ["/bin/readlink", "/proc/self/ns/net"], (config) => {
    const hook = (name: string): object => ({ path: "/bin/sh", args: ["sh", "-c", `echo ${name} $(readlink /proc/self/ns/net) $(pwd) >> ${log}`] });
    config["hooks"] = { prestart: [hook("prestart")], createRuntime: [hook("createRuntime")], createContainer: [hook("createContainer")], poststart: [hook("poststart")] };
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).map((namespace) => (namespace.type === "network" ? { ...namespace, path: `/proc/${pid}/ns/net` } : namespace));
  });
  const own = readlinkSync("/proc/self/ns/net");
  const theirs = readlinkSync(`/proc/${pid}/ns/net`);
  expect((await oci(["run", "-b", joiner, "joiner"])).stdout.trim()).toBe(theirs);
  const seen = readFileSync(log, "utf8").trim().split("\n").map((line) => line.split(" "));
  expect(seen.map(([name, net]) => [name, net])).toEqual([["prestart", own], ["createRuntime", own], ["createContainer", theirs], ["poststart", own]]);
  expect(seen[2]?.[2]).toBe(rootfs);
  await oci(["delete", "-f", "owner"]);
}, 60_000);

test("a container that waits for its start has nothing open but its streams and the gate", async () => {
  const dir = await bundle("waits", ["/bin/true"], () => undefined);
  expect((await quiet(["create", "-b", dir, "waits"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "waits"])).stdout) as { pid: number };
  const open = readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).split("/").at(-1));
  expect(open.toSorted()).toEqual(["exec.fifo", "exec.fifo"]);
  expect((await oci(["start", "waits"])).exitCode).toBe(0);
  expect((await oci(["delete", "-f", "waits"])).exitCode).toBe(0);
}, 30_000);

test("without a pid namespace of its own SIGKILL ends all of a container", async () => {
  const dir = await bundle("shared", ["/bin/sh", "-c", "sleep 61 & sleep 62 & wait"], (config) => {
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).filter(({ type }) => type !== "pid");
  });
  expect((await quiet(["run", "-d", "-b", dir, "shared"])).exitCode).toBe(0);
  const pids = async (): Promise<number[]> => JSON.parse((await oci(["ps", "--format", "json", "shared"])).stdout) as number[];
  await waitFor("all three processes", async () => (await pids()).length === 3);
  expect((await oci(["kill", "shared", "KILL"])).exitCode).toBe(0);
  await waitFor("their end", async () => (await pids()).length === 0);
  expect((await oci(["kill", "shared", "0"])).stderr).toContain("container not running");
  expect((await oci(["delete", "shared"])).exitCode).toBe(0);
}, 30_000);

test("a tmpfs on /dev may be read-only, takes the mode of what it covers elsewhere, and a pid file that cannot be written leaves nothing", async () => {
  const dir = await bundle("tmpfs", ["/bin/sh", "-c", "stat -c %a /root; echo x > /dev/x"], (config) => {
    const mounts = config["mounts"] as Record<string, unknown>[];
    for (const mount of mounts) if (mount["destination"] === "/dev") mount["options"] = [...((mount["options"] ?? []) as string[]), "ro"];
    mounts.push({ destination: "/root", type: "tmpfs", source: "tmpfs" });
  });
  const mode = (await run(["stat", "-c", "%a", join(rootfs, "root")])).stdout;
  const result = await oci(["run", "-b", dir, "tmpfs"]);
  expect(result.stdout).toBe(mode);
  expect(result.stderr).toContain("Read-only file system");
  const failed = await quiet(["create", "-b", dir, "--pid-file", join(temp.path, "none/pid"), "tmpfs"]);
  expect(failed.exitCode).toBe(1);
  expect((await oci(["list", "-q"])).stdout).toBe("");
}, 30_000);
