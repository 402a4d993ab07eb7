/** A container's life after `run`: every state, what may be done in it, and what is left when it is over. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { base, containing, expectFailure, isAlive, lifecycle, matching, until } from "../support/lifecycle.ts";

const { box, directory, rootfs, background, stateOf, rowOf, leftovers, events } = lifecycle();

describe("states", () => {
  test("create, start, stop, start again: the files stay, the states are told", async () => {
    const id = await box.ok(["create", ...base, "--name", "steps", "--rootfs", rootfs, "sh", "-c", "echo x >> /count; exec sleep 1000"]);
    expect(await stateOf("steps")).toMatchObject({ Status: "created", Running: false, Pid: 0, StartedAt: "0001-01-01T00:00:00Z" });
    expect(await box.ok(["wait", "steps"])).toBe("0");
    expect(await box.ok(["start", "steps"])).toBe("steps");
    const running = await stateOf(id);
    expect(running).toMatchObject({ Status: "running", Running: true });
    expect(readFileSync(`/proc/${running.Pid}/cmdline`, "latin1")).toBe("sleep\x001000\0");
    expect(await box.ok(["start", "steps"])).toBe("steps");
    expect((await stateOf(id)).Pid).toBe(running.Pid);
    expect(await box.ok(["stop", "-t", "0", id.slice(0, 10)])).toBe(id.slice(0, 10));
    expect(await stateOf("steps")).toMatchObject({ Status: "exited", ExitCode: 137, Pid: 0, Running: false });
    expect(isAlive(running.Pid)).toBe(false);
    expect(existsSync(join(box.state, "containers", id))).toBe(false);
    await box.ok(["start", "steps"]);
    await until("the program ran twice", () => readFileSync(join(box.root, "containers", id, "upper/count"), "utf8") === "x\nx\n");
    expect(await box.ok(["rm", "-f", "steps"])).toBe("steps");
    expect(leftovers(id)).toEqual([]);
    expect(events(id)).toEqual(["create", "start", "kill", "kill", "die", "stop", "start", "kill", "die", "destroy"]);
  });

  test("start -a gives output and exit code, start -ai input too", async () => {
    await box.ok(["create", "-i", ...base, "--name", "attached", "--rootfs", rootfs, "sh", "-c", "read line; echo \"got $line\"; echo bad >&2; exit 7"]);
    expect(await box.sampan(["start", "-ai", "attached"], { input: "this\n" })).toMatchObject({ exitCode: 7, stdout: "got this\n", stderr: "bad\n" });
    expect(await box.sampan(["start", "-ai", "attached"], { input: "that\n" })).toMatchObject({ exitCode: 7, stdout: "got that\n" });
    expectFailure(await box.sampan(["start", "-a", "attached", "other"]), "you cannot start and attach multiple containers at once");
    await box.ok(["rm", "attached"]);
  });

  test("a background container with --rm goes by itself, with everything", async () => {
    const id = await background("fleeting", "sleep 0.2", "--rm");
    const waited = box.ok(["wait", "fleeting"]);
    await until("the container is gone", () => rowOf(id) === null);
    expect(await waited).toBe("0");
    expect(leftovers(id)).toEqual([]);
    expect(events(id)).toEqual(["create", "start", "die", "destroy"]);
  });

  test("a program that ends at once is finished without anybody looking", async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, (_, i) => background(`short${i}`, `exit ${i}`)));
    await until("all have ended", () => ids.every((id) => rowOf(id)?.["status"] === "exited"));
    expect(ids.map((id) => rowOf(id)?.["exitCode"])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await box.ok(["rm", ...ids])).toBe(ids.join("\n"));
    expect(ids.flatMap(leftovers)).toEqual([]);
  });

  test("a program that is not there: created, with the exit code and the reason", async () => {
    expect(await box.sampan(["run", ...base, "--name", "nothing", "--rootfs", rootfs, "nosuch"])).toMatchObject({ exitCode: 127 });
    expect(await stateOf("nothing")).toMatchObject({ Status: "created", ExitCode: 127, Error: containing("nosuch"), StartedAt: "0001-01-01T00:00:00Z" });
    expectFailure(await box.sampan(["start", "nothing"]), '"nosuch"', 1);
    await box.ok(["rm", "nothing"]);
    expect((await box.sampan(["run", "--rm", ...base, "--rootfs", rootfs, "/etc/passwd"])).exitCode).toBe(126);
    expect(await box.ok(["ps", "-aq"])).toBe("");
  });

  test("the memory killer is told", async () => {
    const result = await box.sampan(["run", ...base, "--name", "hungry", "-m", "8m", "--rootfs", rootfs, "sh", "-c", "x=aaaaaaaa; while true; do x=$x$x; done"]);
    expect(result.exitCode).toBe(137);
    expect(await stateOf("hungry")).toMatchObject({ Status: "exited", OOMKilled: true, ExitCode: 137 });
    await box.ok(["rm", "hungry"]);
  });
});

describe("removal by force", () => {
  test("of a container in the foreground: its command line ends with 137, without a word", async () => {
    const foreground = box.sampan(["run", ...base, "--name", "watched", "--rootfs", rootfs, "sh", "-c", "echo here; exec sleep 1000"]);
    await until("it has spoken", async () => (await box.sampan(["logs", "watched"])).stdout === "here\n");
    await box.ok(["rm", "-f", "watched"]);
    expect(await foreground).toMatchObject({ exitCode: 137, stdout: "here\n", stderr: "" });
    expect(await box.ok(["ps", "-aq"])).toBe("");
  });

  test("fifty that run are gone in well under the time of fifty", async () => {
    const names = Array.from({ length: 50 }, (_, i) => `bulk${i}`);
    const ids = await Promise.all(names.map((name) => background(name, "exec sleep 1000")));
    const began = performance.now();
    await box.ok(["rm", "-f", ...names]);
    // The bar on an idle machine is half a second (bench/density.ts).
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(ids.flatMap(leftovers)).toEqual([]);
  }, 60_000);

  test("-v and --rm take anonymous volumes along, a plain rm leaves them", async () => {
    const volumes = join(box.root, "volumes");
    const count = (): number => (existsSync(volumes) ? readdirSync(volumes).filter((name) => !name.startsWith(".")).length : 0);
    const before = count();
    await background("vol", "exec sleep 1000", "-v", "/data");
    expect(count()).toBe(before + 1);
    await box.ok(["rm", "-f", "vol"]);
    expect(count()).toBe(before + 1);
    await background("vol", "exec sleep 1000", "-v", "/data");
    await box.ok(["rm", "-fv", "vol"]);
    expect(count()).toBe(before + 1);
    await box.ok(["run", "--rm", ...base, "-v", "/data", "--rootfs", rootfs, "true"]);
    expect(count()).toBe(before + 1);
  });
});

/** How many lines a container has written into a file of its own. */
const linesOf = (id: string, file: string): number => {
  const path = join(box.root, "containers", id, "upper", file);
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
};

/** Until its program, in its n-th run, has said that its traps are set. */
const listening = (id: string, run = 1): Promise<void> => until("it listens", () => linesOf(id, "ready") === run);

describe("stop and kill", () => {
  test("a program that listens ends with its own code, at once", async () => {
    await listening(await background("polite", "trap 'exit 5' TERM; echo >> /ready; while true; do sleep 0.01; done"));
    const began = performance.now();
    await box.ok(["stop", "polite"]);
    expect(performance.now() - began).toBeLessThan(8000); // long before it would be killed
    expect(await stateOf("polite")).toMatchObject({ Status: "exited", ExitCode: 5 });
    expect(await box.ok(["stop", "polite"])).toBe("polite");
    await box.ok(["rm", "polite"]);
  });

  test("the stop signal: the container's own, or the one asked for; then SIGKILL when time is up", async () => {
    const id = await background("own", "trap 'exit 9' USR1; trap 'exit 8' INT; trap '' TERM; echo >> /ready; while true; do sleep 0.01; done", "--stop-signal", "USR1", "--stop-timeout", "1");
    await listening(id);
    await box.ok(["stop", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(9);
    await box.ok(["start", "own"]);
    await listening(id, 2);
    await box.ok(["stop", "-s", "int", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(8);
    await box.ok(["start", "own"]);
    await listening(id, 3);
    const began = performance.now();
    await box.ok(["stop", "-s", "TERM", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(137);
    expect(performance.now() - began).toBeWithin(950, 8000);
    await box.ok(["rm", "own"]);
  });

  test("kill sends what it is told, and waits for SIGKILL", async () => {
    const id = await background("killed", "trap 'echo hup >> /heard' HUP; echo >> /ready; while true; do sleep 0.01; done");
    await listening(id);
    for (const [i, signal] of ["HUP", "sighup", "1"].entries()) {
      await box.ok(["kill", "-s", signal, "killed"]);
      await until("the signal was heard", () => linesOf(id, "heard") === i + 1);
    }
    const { Pid } = await stateOf("killed");
    await box.ok(["kill", "killed"]);
    expect(isAlive(Pid)).toBe(false);
    expect(rowOf(id)).toMatchObject({ status: "exited", exitCode: 137, exitSignal: 9 });
    expectFailure(await box.sampan(["kill", "killed"]), `Cannot kill container: killed: Container ${id} is not running`);
    expectFailure(await box.sampan(["kill", "-s", "FOO", "killed"]), "Invalid signal: FOO");
    await box.ok(["rm", "killed"]);
  });

  test("stop of one that was unpaused a moment ago, or is unpaused at the same time", async () => {
    const id = await background("thawed", "trap 'exit 5' TERM; echo >> /ready; while true; do sleep 0.01; done");
    for (let round = 1; round <= 3; round++) {
      await listening(id, round);
      await box.ok(["pause", "thawed"]);
      if (round < 3) await box.ok(["unpause", "thawed"]);
      const [stopped, unpaused] = await Promise.all([box.sampan(["stop", "thawed"]), round < 3 ? undefined : box.sampan(["unpause", "thawed"])]);
      expect(stopped.exitCode).toBe(0);
      if (unpaused?.exitCode === 1) expect(unpaused.stderr).toContain(`Container ${id} is not `);
      expect(await stateOf("thawed")).toMatchObject({ Status: "exited", Paused: false, ExitCode: 5 });
      await box.ok(["start", "thawed"]);
    }
    await box.ok(["rm", "-f", "thawed"]);
  });

  test("restart: another process, the same container; one with --rm survives it", async () => {
    const id = await background("again", "exec sleep 1000", "--rm");
    const { Pid } = await stateOf(id);
    expect(await box.ok(["restart", "-t", "0", "again"])).toBe("again");
    const after = await stateOf(id);
    expect(after.Pid).not.toBe(Pid);
    expect(after.Status).toBe("running");
    await box.ok(["stop", "-t", "0", "again"]);
    await until("it is gone", () => rowOf(id) === null);
    expect(leftovers(id)).toEqual([]);
  });

  test("pause stops every process, and the states that it forbids say so in Docker's words", async () => {
    const id = await background("frozen", "while true; do echo x >> /ticks; sleep 0.01; done");
    const ticks = join(box.root, "containers", id, "upper/ticks");
    await until("it ticks", () => existsSync(ticks));
    await box.ok(["pause", "frozen"]);
    const before = readFileSync(ticks).length;
    await sleep(150);
    expect(readFileSync(ticks).length).toBe(before);
    expect(await stateOf("frozen")).toMatchObject({ Status: "paused", Paused: true, Running: true });
    expectFailure(await box.sampan(["pause", "frozen"]), `Container ${id} is already paused`);
    expectFailure(await box.sampan(["start", "frozen"]), "cannot start a paused container, try unpause instead");
    expectFailure(await box.sampan(["rm", "frozen"]), `You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`);
    await box.ok(["unpause", "frozen"]);
    await until("it ticks again", () => readFileSync(ticks).length > before);
    expectFailure(await box.sampan(["unpause", "frozen"]), `Container ${id} is not paused`);
    expectFailure(await box.sampan(["rm", "frozen"]), `You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`);
    await box.ok(["pause", "frozen"]);
    await box.ok(["stop", "-t", "1", "frozen"]);
    expect((await stateOf("frozen")).Status).toBe("exited");
    await box.ok(["rm", "frozen"]);
    expect(leftovers(id)).toEqual([]);
  });
});

describe("names and many at once", () => {
  test("rename: the new name finds it, a taken one is refused", async () => {
    const id = await background("before", "sleep 100");
    await background("taken", "sleep 100");
    await box.ok(["rename", "before", "after"]);
    expect(await box.ok(["container", "inspect", "-f", "{{.Id}} {{.Name}}", "after"])).toBe(`${id} /after`);
    expectFailure(await box.sampan(["rename", "after", "taken"]), 'Error when allocating new name: Conflict. The container name "/taken" is already in use by container');
    expectFailure(await box.sampan(["rename", "after", "after"]), "Renaming a container with the same name as its current name");
    expectFailure(await box.sampan(["rename", "after", "../x"]), "Invalid container name");
    await box.ok(["rm", "-f", "after", "taken"]);
  });

  test("each failure is told, the others are done, the exit code is 1", async () => {
    await background("one", "sleep 100");
    await background("two", "sleep 100");
    const result = await box.sampan(["stop", "-t", "0", "one", "nosuch", "two"]);
    expect(result).toMatchObject({ exitCode: 1, stdout: "one\ntwo\n", stderr: "sampan: No such container: nosuch\n" });
    expect(await box.sampan(["rm", "nosuch", "one"])).toMatchObject({ exitCode: 1, stdout: "one\n" });
    expect(await box.sampan(["rm", "-f", "nosuch", "two"])).toMatchObject({ exitCode: 0, stdout: "two\n", stderr: "sampan: No such container: nosuch\n" });
  });

  test("an ambiguous prefix is refused", async () => {
    const ids = await Promise.all(Array.from({ length: 18 }, (_, i) => box.ok(["create", ...base, "--name", `many${i}`, "--rootfs", rootfs, "true"])));
    const counts = Map.groupBy(ids, (id) => id[0]);
    const [prefix = ""] = [...counts].find(([, group]) => group.length > 1) ?? [];
    // Eighteen ids have sixteen first digits.
    const result = await box.sampan(["container", "inspect", prefix]);
    expect(result).toMatchObject({ exitCode: 1, stderr: matching(/multiple IDs found with provided prefix/i) });
    expect((await box.ok(["container", "prune", "-f"])).split("\n").filter((line) => ids.includes(line)).sort()).toEqual(ids.toSorted());
    expect(ids.flatMap(leftovers)).toEqual([]);
  });

  test("--cidfile: written, and refused where there is one", async () => {
    const file = join(directory, "cid");
    const id = await background("cid", "sleep 100", "--cidfile", file);
    expect(readFileSync(file, "utf8")).toBe(id);
    expectFailure(await box.sampan(["run", "--rm", ...base, "--cidfile", file, "--rootfs", rootfs, "true"]), "ontainer ID file found, make sure the other container isn't running or delete", 125);
    await box.ok(["rm", "-f", "cid"]);
  });
});
