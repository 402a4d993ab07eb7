/** The engine as a whole: what it takes of the disk, what it reclaims after crashes, what it finds out about the host. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, createTempDir, packRootfs, run, runOk, SAMPAN, waitFor, type Sandbox } from "../support/index.ts";

const temp = createTempDir("system-");
let rootfs = "";
let box: Sandbox;

interface Check {
  name: string; verdict: string; detail: string; remedy?: string;
}

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  box = createSandbox();
  await box.ok(["import", await packRootfs(rootfs, join(temp.path, "image.tar")), "plain"], { timeoutMs: 60_000 });
}, 60_000);

afterAll(async () => {
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const du = async (path: string): Promise<number> => Number.parseInt(await runOk(["du", "-xs", "--block-size=1", path]), 10);

test("system df agrees with du, sparse files and hard links included", async () => {
  await box.ok(["run", "--rm", "--network", "none", "-v", "big:/v", "plain", "sh", "-c", "dd if=/dev/zero of=/v/full bs=1k count=300 2>/dev/null; truncate -s 1G /v/sparse; ln /v/full /v/same; mkdir -p /v/a/b; i=0; while [ $i -lt 50 ]; do echo $i > /v/a/$i; i=$((i+1)); done; touch \"$(printf '/v/\\377')\""]);
  const id = await box.ok(["create", "--network", "none", "--name", "sized", "-v", "big:/v", "plain", "sh", "-c", "dd if=/dev/zero of=/f bs=1k count=200 2>/dev/null"]);
  await box.ok(["start", "-a", "sized"]);
  const usage = JSON.parse(await box.ok(["system", "df", "-v", "--format", "json"])) as { Volumes: { Name: string; Size: string; Links: string }[]; Containers: { ID: string; Size: string }[]; Images: { Repository: string; Containers: string; UniqueSize: string }[] };
  const human = (bytes: number): RegExp => new RegExp(`^${(bytes / 1000).toPrecision(4).replace(/\.?0+$/, "")}kB`);
  // What is in the volume: its own directory counts in no size, as in Docker.
  const volume = (await du(join(box.root, "volumes/big/_data"))) - statSync(join(box.root, "volumes/big/_data")).blocks * 512;
  expect(volume).toBeLessThan(1_000_000);
  expect(usage.Volumes.map(({ Name, Links }) => [Name, Links])).toEqual([["big", "1"]]);
  expect(usage.Volumes[0]?.Size).toMatch(human(volume));
  const own = await du(join(box.root, "containers", id));
  expect(usage.Containers).toHaveLength(1);
  expect(usage.Containers[0]?.Size).toMatch(new RegExp(`^${(own / 1000).toPrecision(3)}kB`));
  expect(usage.Images.map(({ Repository, Containers }) => [Repository, Containers])).toEqual([["plain", "1"]]);
  const lines = (await box.ok(["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}"])).split("\n");
  expect(lines).toEqual(["Images|1|1", "Containers|1|0", "Local Volumes|1|1"]);
  await box.ok(["rm", "sized"]);
  expect(await box.ok(["system", "df", "--format", "{{.Type}}|{{.Reclaimable}}", "-v=false"])).toContain("(100%)");
  await box.ok(["volume", "rm", "big"]);
});

test("info counts what there is", async () => {
  await box.ok(["run", "-d", "--network", "none", "--name", "runs", "plain", "sleep", "1000"]);
  await box.ok(["create", "--network", "none", "--name", "rests", "plain", "true"]);
  const info = JSON.parse(await box.ok(["info", "-f", "json"])) as Record<string, unknown>;
  expect(info).toMatchObject({ Containers: 2, ContainersRunning: 1, ContainersPaused: 0, ContainersStopped: 1, Images: 1, Name: hostname(), OSType: "linux", DockerRootDir: box.root, KernelVersion: (await runOk(["uname", "-r"])).trim() });
  expect(await box.ok(["info", "--format", "{{.ID}}"])).toBe(await box.ok(["system", "info", "--format", "{{.ID}}"]));
  expect(await box.ok(["info"])).toContain("Containers: 2\n Running: 1\n");
  await box.ok(["rm", "-f", "runs", "rests"]);
});

test("system prune takes what nobody uses, and asks first", async () => {
  await box.ok(["run", "--network", "none", "--name", "ended", "-v", "/anonymous", "-v", "named:/n", "plain", "true"]);
  await box.ok(["run", "-d", "--network", "none", "--name", "running", "-v", "used:/u", "plain", "sleep", "1000"]);
  const refused = await box.sampan(["system", "prune"], { input: "n\n" });
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toContain("  - all stopped containers\n");
  expect(await box.ok(["ps", "-a", "--format", "{{.Names}}"])).toContain("ended");
  const text = await box.ok(["system", "prune", "-f", "--volumes"]);
  expect(text).toMatch(/^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
  expect(await box.ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("running");
  expect((await box.ok(["volume", "ls", "-q"])).split("\n")).toEqual(["named", "used"]);
  expect(await box.ok(["images", "-q"])).not.toBe("");
  await box.ok(["rm", "-f", "running"]);
  await box.ok(["volume", "prune", "-af"]);
});

test("system prune reclaims what a crash left: cgroups, directories, half-removed volumes, scratch files; twice is as once", async () => {
  const id = await box.ok(["run", "-d", "--network", "none", "--name", "crashed", "-m", "32m", "plain", "sleep", "1000"]);
  const cgroups = readFileSync(`/proc/${await box.ok(["container", "inspect", "-f", "{{.State.Pid}}", "crashed"])}/cgroup`, "utf8");
  expect(cgroups).toContain(id);
  const groups = (await runOk(["sh", "-c", `find /sys/fs/cgroup -type d -name ${id} 2>/dev/null`])).split("\n").filter((path) => path !== "");
  expect(groups.length).toBeGreaterThan(0);
  // The worst: the processes are killed and the row is gone, and the ledger alone remembers.
  const pids = ["pid", "monitor"].map((name) => Number.parseInt(readFileSync(join(box.state, "containers", id, name), "utf8"), 10));
  for (const pid of pids.reverse()) process.kill(pid, "SIGKILL");
  await waitFor("the processes to end", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  await waitFor("nobody to be at it", async () => (await box.sampan(["ps", "-aq"])).exitCode === 0);
  const database = new Database(join(box.root, "state.db"));
  database.run("PRAGMA busy_timeout=10000");
  database.run("PRAGMA foreign_keys=ON");
  database.run("DELETE FROM containers WHERE id = ?", [id]);
  database.close();
  for (const group of groups) mkdirSync(group, { recursive: true });
  const database2 = new Database(join(box.root, "state.db"));
  database2.run("PRAGMA busy_timeout=10000");
  for (const group of groups) database2.run("INSERT OR REPLACE INTO resources(kind, key, containerId, lifetime, createdMs) VALUES ('cgroup', ?, ?, 'run', 1)", [group, id]);
  database2.close();
  const stray = "ab".repeat(32);
  for (const directory of [join(box.root, "containers", stray, "upper"), join(box.state, "containers", stray), join(box.root, "volumes/.trash/0.gone")]) mkdirSync(directory, { recursive: true });
  mkdirSync(join(box.root, "containers/not-an-id"));
  mkdirSync(join(box.root, "volumes/by-hand/_data"), { recursive: true });
  writeFileSync(join(box.state, "plan.999999999.1"), "");
  writeFileSync(join(box.state, `plan.${process.pid}.1`), "");
  for (let i = 0; i < 2; i++) await box.ok(["system", "prune", "-f"]);
  expect(groups.filter((path) => existsSync(path))).toEqual([]);
  // What is no container's by its name, or a living process's, is not ours to take.
  expect(readdirSync(join(box.root, "containers"))).toEqual(["not-an-id"]);
  expect(readdirSync(join(box.state, "containers"))).toEqual([]);
  expect(readdirSync(join(box.root, "volumes")).sort()).toEqual([".trash", "by-hand"]);
  expect(readdirSync(join(box.root, "volumes/.trash"))).toEqual([]);
  expect(readdirSync(box.state).filter((name) => name.startsWith("plan."))).toEqual([`plan.${process.pid}.1`]);
}, 30_000);

test("check-host finds out by trying, says what to do, and leaves nothing", async () => {
  const empty = join(temp.path, "store-to-be");
  const result = await box.sampan(["--root", empty, "check-host", "--json"]);
  const checks = JSON.parse(result.stdout) as Check[];
  const byName = new Map(checks.map((check) => [check.name, check]));
  // What containers have just been run with is there.
  for (const name of ["kernel", "root", "clone3", "openat2", "fsopen", "mount_setattr", "mount namespace", "pid namespace", "network namespace", "overlay", "overlay over /", "seccomp filters", "cgroups"])
    expect([name, byName.get(name)?.verdict]).toEqual([name, "ok"]);
  for (const { name, verdict, remedy } of checks) if (verdict !== "ok") expect([name, remedy !== undefined && remedy.length > 3]).toEqual([name, true]);
  expect(result.exitCode).toBe(checks.some(({ verdict }) => verdict === "missing") ? 1 : 0);
  expect(existsSync(empty)).toBe(false);
  expect(readdirSync(temp.path).filter((name) => name.startsWith(".sampan"))).toEqual([]);
});

test("check-host notices what is forbidden: capabilities, namespaces, a filesystem for layers", async () => {
  const check = async (command: string[]): Promise<{ code: number | null; missing: Map<string, string> }> => {
    const { stdout, exitCode } = await run([...command, SAMPAN, "check-host", "--json"], { env: box.env });
    return { code: exitCode, missing: new Map((JSON.parse(stdout) as Check[]).filter(({ verdict }) => verdict === "missing").map(({ name, detail }) => [name, detail])) };
  };
  const bounded = await check(["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-all"]);
  expect(bounded.code).toBe(1);
  expect(bounded.missing.get("capabilities")).toBe("without CAP_SYS_ADMIN");
  expect(bounded.missing.has("mount namespace")).toBe(true);
  const limited = await check(["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"', "sh"]);
  expect(limited.code).toBe(1);
  expect(limited.missing.get("network namespace")).toContain("there may be no more of them");
  expect(limited.missing.has("initial user namespace")).toBe(true);
  // A store that is itself an overlay cannot hold the upper layer of one.
  const script = 'd=$(mktemp -d); mount -t tmpfs tmpfs $d; mkdir $d/l $d/u $d/w $d/m; mount -t overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w overlay $d/m || exit 9; SAMPAN_ROOT=$d/m/r "$@"; code=$?; umount $d/m $d; rmdir $d; exit $code';
  const nested = await check(["unshare", "--mount", "sh", "-c", script, "sh"]);
  expect([nested.code, nested.missing.get("overlay")?.includes("cannot be the upper layer")]).toEqual([1, true]);
  const user = join(temp.path, "sampan");
  await runOk(["cp", SAMPAN, user]);
  const plain = await run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", user, "check-host"], { env: { SAMPAN_ROOT: "/var/lib/nothing-of-ours", SAMPAN_STATE: "/run/nothing-of-ours" } });
  expect([plain.exitCode, plain.stderr]).toEqual([1, ""]);
  expect(plain.stdout).toMatch(/missing +root +not root: what only root may do was not tried\n +→ Run it with sudo/);
  expect(readdirSync("/sys/class/net").filter((name) => name.startsWith("check"))).toEqual([]);
}, 30_000);
