/** A container's life when nobody watches: restart policies, killed processes, reboots, crowds; and the list of them. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { base, containing, expectFailure, isAlive, lifecycle, until } from "../support/lifecycle.ts";

const { box, directory, rootfs, background, stateOf, openState, rowOf, monitorOf, leftovers } = lifecycle();

describe("restart policies", () => {
  test("on-failure: as often as it says, then the last exit code stays", async () => {
    const id = await background("failing", "echo x >> /runs; exit 3", "--restart", "on-failure:2");
    await until("it has given up", () => rowOf(id)?.["status"] === "exited");
    expect(rowOf(id)).toMatchObject({ exitCode: 3, restartCount: 2 });
    expect(readFileSync(join(box.root, "containers", id, "upper/runs"), "utf8")).toBe("x\nx\nx\n");
    await box.ok(["rm", "failing"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("always: the wait doubles; no JavaScript waits; stop ends it", async () => {
    const id = await background("lasting", "cut -d' ' -f1 /proc/uptime >> /runs; exit 0", "--restart", "always");
    const runs = join(box.root, "containers", id, "upper/runs");
    const times = (): number[] => readFileSync(runs, "utf8").trim().split("\n").map((line) => Math.round(Number(line) * 1000));
    await until("it ran four times", () => existsSync(runs) && times().length >= 4);
    const gaps = times().slice(1, 4).map((time, i) => time - (times()[i] ?? 0));
    // How much later than due is a matter of how busy the machine is.
    [100, 200, 400].forEach((wait, i) => { expect(gaps[i]).toBeWithin(wait - 10, wait + 10_000); });
    await until("it waits", () => rowOf(id)?.["status"] === "restarting" && rowOf(id)?.["monitorPid"] !== null);
    const sleeper = Number(rowOf(id)?.["monitorPid"]);
    expect(readFileSync(`/proc/${sleeper}/cmdline`, "latin1")).toStartWith("keel");
    expect(await box.ok(["ps", "--format", "{{.Names}} {{.State}}"])).toBe("lasting restarting");
    expectFailure(await box.sampan(["rm", "lasting"]), `You cannot remove a restarting container ${id}`);
    expectFailure(await box.sampan(["pause", "lasting"]), `Container ${id} is restarting, wait until the container is running`);
    await box.ok(["stop", "lasting"]);
    await until("the sleeper is gone", () => !isAlive(sleeper));
    const count = times().length;
    await sleep(1000);
    expect(times().length).toBe(count);
    expect((await stateOf("lasting")).Status).toBe("exited");
    await box.ok(["rm", "lasting"]);
  });

  test("a stop of a running one is not answered by a restart; a sleeper that was killed is replaced", async () => {
    const id = await background("kept", "exec sleep 1000", "--restart", "always");
    process.kill((await stateOf("kept")).Pid, "SIGKILL");
    await until("it waits", () => rowOf(id)?.["status"] === "restarting" && rowOf(id)?.["monitorPid"] !== null);
    process.kill(Number(rowOf(id)?.["monitorPid"]), "SIGKILL");
    await sleep(20);
    await box.ok(["ps"]);
    await until("it runs again", () => rowOf(id)?.["status"] === "running");
    expect(await box.ok(["container", "inspect", "-f", "{{.RestartCount}}", "kept"])).toBe("1");
    await box.ok(["stop", "-t", "0", "kept"]);
    await sleep(300);
    expect(rowOf(id)).toMatchObject({ status: "exited", hasBeenManuallyStopped: 1 });
    await box.ok(["rm", "-f", "kept"]);
  });

  test("whoever sleeps until the next start sleeps by a clock of its own: what the wall clock says meanwhile does not matter", async () => {
    const id = await background("clocked", "echo x >> /runs; exit 1", "--restart", "always");
    const runs = (): number => readFileSync(join(box.root, "containers", id, "upper/runs"), "utf8").length / 2;
    await until("it sleeps for a second or more", () => rowOf(id)?.["status"] === "restarting" && Number(rowOf(id)?.["restartCount"]) >= 5 && rowOf(id)?.["monitorPid"] !== null);
    const before = runs();
    // As if the clock had been set back by an hour.
    const database = openState();
    database.run("UPDATE containers SET nextRestartMs = nextRestartMs + 3600000, finishedMs = finishedMs + 3600000 WHERE id = ?", [id]);
    database.close();
    await until("it has run again", () => runs() > before);
    await box.ok(["rm", "-f", "clocked"]);
  });

  test("--rm and --restart exclude each other", async () => {
    expectFailure(await box.sampan(["run", "--rm", "--restart", "always", ...base, "--rootfs", rootfs, "true"]), "--restart and --rm", 125);
  });
});

describe("the truth", () => {
  test("kill -9 of the command line: the container goes on, and is finished at its end", async () => {
    const cli = box.start(["run", ...base, "--name", "orphan", "--rootfs", rootfs, "sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; exit 6"]);
    const find = (): Promise<string> => box.ok(["ps", "-q", "--no-trunc", "-f", "name=orphan"]);
    await until("it runs", async () => (await find()) !== "");
    const id = await find();
    cli.kill("SIGKILL");
    await sleep(100);
    expect((await stateOf("orphan")).Status).toBe("running");
    await box.ok(["exec", "orphan", "touch", "/go"]);
    await until("it is finished without anybody looking", () => rowOf(id)?.["status"] === "exited");
    expect(rowOf(id)?.["exitCode"]).toBe(6);
    await box.ok(["rm", "orphan"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("a monitor gives its plan's pages back: 100 kB of memory (PSS) are enough for a whole container's", async () => {
    const id = await background("light", "exec sleep 1000");
    const pss = (): number => Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${monitorOf(id)}/smaps_rollup`, "utf8"))?.[1]);
    await until("it has given them back", () => pss() < 100);
    expect(pss()).toBeGreaterThan(4);
    await box.ok(["rm", "-f", "light"]);
  });

  test("kill -9 of the monitor: the container dies with it, and whoever looks says so", async () => {
    const id = await background("headless", "exec sleep 1000");
    const { Pid } = await stateOf("headless");
    process.kill(monitorOf(id), "SIGKILL");
    await until("the process is gone", () => !isAlive(Pid));
    expect(await box.ok(["ps", "-q"])).toBe("");
    expect(await stateOf("headless")).toMatchObject({ Status: "exited", ExitCode: 137, Error: containing("monitor was killed") });
    expect(existsSync(join(box.state, "containers", id))).toBe(false);
    await box.ok(["start", "headless"]);
    expect((await stateOf("headless")).Status).toBe("running");
    await box.ok(["rm", "-f", "headless"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("after another boot everything reads as exited, and boot starts what a policy says", async () => {
    const names = ["no", "always", "unless-stopped", "on-failure"];
    const ids = await Promise.all(names.map((policy) => background(`boot-${policy}`, "exec sleep 1000", "--restart", policy)));
    const stopped = await background("boot-stopped", "exec sleep 1000", "--restart", "unless-stopped");
    await box.ok(["stop", "-t", "0", "boot-stopped"]);
    // A reboot, as far as the state can tell: the processes are gone, and so is the boot in which they had their pids.
    for (const id of ids) process.kill(monitorOf(id), "SIGSTOP");
    const monitors = ids.map(monitorOf);
    const database = openState();
    database.run("UPDATE containers SET bootId = 'another' WHERE status = 'running'");
    database.close();
    for (const pid of monitors) process.kill(pid, "SIGKILL");
    expect(await box.ok(["ps", "-q"])).toBe("");
    expect(await stateOf("boot-no")).toMatchObject({ Status: "exited", ExitCode: 255, Error: containing("restarted") });
    expect((await box.ok(["system", "boot"])).split("\n").sort()).toEqual(["boot-always", "boot-on-failure", "boot-unless-stopped"]);
    expect((await box.ok(["ps", "--format", "{{.Names}}"])).split("\n").sort()).toEqual(["boot-always", "boot-on-failure", "boot-unless-stopped"]);
    expect(await box.ok(["system", "boot"])).toBe("");
    await box.ok(["rm", "-f", ...ids, stopped]);
    expect([...ids, stopped].flatMap(leftovers)).toEqual([]);
  });
});

describe("another run state", () => {
  test("is refused while containers run with the first, and taken when none does", async () => {
    const id = await background("here", "exec sleep 1000");
    const elsewhere = (args: string[]): ReturnType<typeof box.sampan> => box.sampan(args, { env: { SAMPAN_STATE: join(directory, "elsewhere") } });
    for (const args of [["ps"], ["rm", "-f", "here"], ["stop", "here"]])
      expectFailure(await elsewhere(args), `Cannot use root "${box.root}" with state "${join(directory, "elsewhere")}": containers of it run with state "${box.state}"`);
    expect((await stateOf("here")).Status).toBe("running");
    await box.ok(["stop", "-t", "0", "here"]);
    expect((await elsewhere(["start", "here"])).exitCode).toBe(0);
    expectFailure(await box.sampan(["ps"]), "Cannot use root");
    expect((await elsewhere(["rm", "-f", "here"])).exitCode).toBe(0);
    expect([await box.ok(["ps", "-aq"]), leftovers(id)]).toEqual(["", []]);
  });
});

describe("several at once", () => {
  test("100 run -d in parallel: all run, each once", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `par${i}`);
    const results = await Promise.all(names.map((name) => box.sampan(["run", "-d", ...base, "--name", name, "--rootfs", rootfs, "sleep", "1000"], { timeoutMs: 60_000 })));
    expect(results.filter(({ exitCode }) => exitCode !== 0)).toEqual([]);
    const ids = results.map(({ stdout }) => stdout.trim());
    expect((await box.ok(["ps", "-q", "--no-trunc"])).split("\n").sort()).toEqual(ids.toSorted());
    const pids = await box.ok(["container", "inspect", "-f", "{{.State.Pid}}", ...names]);
    expect(new Set(pids.split("\n").filter((pid) => isAlive(Number(pid)))).size).toBe(100);
    await box.ok(["rm", "-f", ...names]);
    expect(ids.flatMap(leftovers)).toEqual([]);
    expect(await box.ok(["ps", "-aq"])).toBe("");
  }, 90_000);

  test("two removals of one, two starts of one, a stop against a start", async () => {
    for (let round = 0; round < 5; round += 1) {
      const id = await box.ok(["create", ...base, "--name", "contested", "--rootfs", rootfs, "sh", "-c", "echo x >> /runs; exec sleep 1000"]);
      const starts = await Promise.all([1, 2, 3].map(() => box.sampan(["start", "contested"])));
      expect(starts.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
      await until("it ran", () => existsSync(join(box.root, "containers", id, "upper/runs")));
      expect(readFileSync(join(box.root, "containers", id, "upper/runs"), "utf8")).toBe("x\n");
      const mixed = await Promise.all([box.sampan(["stop", "-t", "0", "contested"]), box.sampan(["start", "contested"]), box.sampan(["kill", "contested"]), box.sampan(["restart", "-t", "0", "contested"])]);
      for (const { stderr } of mixed) expect(stderr).toMatch(/^$|is not running/);
      const removals = await Promise.all([1, 2, 3].map(() => box.sampan(["rm", "-f", "contested"])));
      expect(removals.some(({ exitCode }) => exitCode === 0)).toBe(true);
      for (const { stderr } of removals) expect(stderr).toMatch(/^$|No such container|removal of container contested is already in progress/);
      expect(rowOf(id)).toBeNull();
      expect(leftovers(id)).toEqual([]);
    }
  }, 60_000);
});

describe("ps", () => {
  test("filters", async () => {
    const run = (name: string, line: string, ...options: string[]): Promise<string> => background(name, line, ...options);
    await run("f-first", "exec sleep 1000", "--label", "tier=a", "--label", "x");
    const second = await run("f-second", "exit 4", "--label", "tier=b", "--expose", "7000-7002");
    await until("it ended", async () => (await stateOf("f-second")).Status === "exited");
    const third = await box.ok(["create", ...base, "--name", "f-third", "--label", "tier=a", "-v", `${directory}:/data`, "--rootfs", rootfs, "true"]);
    await run("f-fourth", "exec sleep 1000");
    await box.ok(["pause", "f-fourth"]);
    const names = async (...args: string[]): Promise<string[]> => (await box.ok(["ps", "--format", "{{.Names}}", ...args])).split("\n").filter((name) => name !== "");
    expect(await names()).toEqual(["f-fourth", "f-first"]);
    expect(await names("-a")).toEqual(["f-fourth", "f-third", "f-second", "f-first"]);
    expect(await names("-l")).toEqual(["f-fourth"]);
    expect(await names("-n", "3")).toEqual(["f-fourth", "f-third", "f-second"]);
    expect(await names("-f", "status=created", "-f", "status=exited")).toEqual(["f-third", "f-second"]);
    expect(await names("-f", "status=paused")).toEqual(["f-fourth"]);
    expect(await names("-a", "-f", "label=tier=a")).toEqual(["f-third", "f-first"]);
    expect(await names("-a", "-f", "label=tier=a", "-f", "label=x")).toEqual(["f-first"]);
    expect(await names("-a", "-f", "name=f-f")).toEqual(["f-fourth", "f-first"]);
    expect(await names("-a", "-f", "name=^/f-third$")).toEqual(["f-third"]);
    expect(await names("-a", "-f", `id=${third.slice(0, 8)}`)).toEqual(["f-third"]);
    expect(await names("-a", "-f", "exited=4")).toEqual(["f-second"]);
    expect(await names("-a", "-f", "before=f-third")).toEqual(["f-second", "f-first"]);
    expect(await names("-a", "-f", "since=f-second")).toEqual(["f-fourth", "f-third"]);
    expect(await names("-a", "-f", "volume=/data")).toEqual(["f-third"]);
    expect(await names("-a", "-f", `volume=${directory}`)).toEqual(["f-third"]);
    expect(await names("-a", "-f", "expose=7001")).toEqual(["f-second"]);
    expect(await names("-a", "-f", "expose=7001/udp")).toEqual([]);
    expect(await names("-a", "-f", "network=none")).toHaveLength(4);
    expect(await names("-a", "-f", `ancestor=${rootfs}`)).toHaveLength(4);
    expect(await names("-a", "-f", "is-task=true")).toEqual([]);
    expect(await names("-a", "-f", "health=healthy")).toEqual([]);
    expect(await names("-f", "name=[")).toEqual([]);
    expectFailure(await box.sampan(["ps", "-f", "foo=bar"]), "Invalid filter 'foo'");
    expectFailure(await box.sampan(["ps", "-f", "status=foo"]), "Invalid filter 'status=foo'");
    expectFailure(await box.sampan(["ps", "-f", "before=nosuch"]), "No such container: nosuch");
    const sizes = (await box.ok(["ps", "-as", "--format", "{{.Names}} {{.Size}}"])).split("\n");
    expect(sizes.every((line) => /^\S+ [\d.]+[kM]?B/.test(line))).toBe(true);
    expect((await box.ok(["container", "prune", "-f", "--filter", "label=tier=b"])).split("\n")[1]).toBe(second);
    expect(await names("-a")).toEqual(["f-fourth", "f-third", "f-first"]);
    await box.ok(["rm", "-f", "f-first", "f-third", "f-fourth"]);
    expect(readdirSync(join(box.root, "containers"))).toEqual([]);
    expect(readdirSync(join(box.state, "containers"))).toEqual([]);
  }, 30_000);
});
