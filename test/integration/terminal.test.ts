/** `sampan run -t`: a real pty on both sides, and the person's terminal as it was, whatever happened. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, installProbe, parseFacts, waitFor, type Pty, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const words = (...more: string[]): string[] => ["run", "--network", "none", "--rootfs", rootfs, ...more];
const COOKED = { raw: false, echo: true };

async function shell(...flags: string[]): Promise<Pty> {
  const pty = await sandbox.pty(words(...flags, "sh"), { rows: 30, cols: 100 });
  await pty.expect("# ");
  return pty;
}

async function gone(name: string): Promise<void> {
  await waitFor(`"${name}" to be gone`, async () => (await sandbox.sampan(["container", "inspect", name])).exitCode === 1);
}

describe("what the program sees", () => {
  test("a controlling terminal of its own, a session, the size, and TERM", async () => {
    await using pty = await sandbox.pty(words("--rm", "-it", "/probe"), { rows: 33, cols: 117 });
    expect((await pty.exited).exitCode).toBe(0);
    const { tty, env, dev, fds } = parseFacts(pty.output);
    expect(tty).toMatchObject({ isatty: [true, true, true], rows: 33, cols: 117, name: "/dev/pts/0", controlling: true, sid: 1, pgrp: 1, foreground_pgrp: 1 });
    expect(env).toContain("TERM=xterm");
    expect(dev.find(({ name }) => name === "console")).toMatchObject({ type: "c", major: 136 });
    expect(Object.values(fds)).toEqual(["/dev/pts/0", "/dev/pts/0", "/dev/pts/0"]);
  });

  test("the seeds' spellings: -ti, and -t alone", async () => {
    await using pty = await sandbox.pty(words("--rm", "-ti", "tty"));
    await pty.expect("/dev/pts/0");
    const alone = await sandbox.sampan(words("--rm", "-t", "tty"));
    expect(alone.stdout).toBe("/dev/pts/0\r\n");
  });

  test("a new window size arrives, with SIGWINCH", async () => {
    await using pty = await shell("--rm", "-it");
    pty.send("stty size\r");
    await pty.expect("30 100");
    pty.resize(41, 132);
    await waitFor("the new size", () => { pty.send("stty size\r"); return pty.output.includes("41 132"); });
    pty.send("exit 5\r");
    expect((await pty.exited).exitCode).toBe(5);
  });

  test("beside --init it has the terminal as well: job control, and ^C is the foreground program's", async () => {
    await using pty = await shell("--rm", "-it", "--init");
    pty.send("(: </dev/tty) && echo has-a-tty; set -o\r");
    await pty.expect("has-a-tty");
    await pty.expect(/monitor +on/);
    pty.send("sleep 60\r");
    await Bun.sleep(200);
    pty.send("\u0003");
    await pty.expect("# ");
    pty.send("echo code=$?\r");
    await pty.expect("code=130");
    expect(pty.output).not.toContain("job control turned off");
    pty.send("exit 4\r");
    expect((await pty.exited).exitCode).toBe(4);
  });

  test("keys reach it raw: ^C is the foreground program's, ^D ends the shell", async () => {
    await using pty = await shell("--rm", "-it");
    pty.send(`sh -c 'echo rea""dy; exec sleep 60'\r`);
    await pty.expect("ready");
    pty.send("\u0003");
    await pty.expect("# ");
    pty.send("echo code=$?\r");
    await pty.expect("code=130");
    await pty.expect("# ");
    pty.send("false\r");
    await pty.expect("# "); // before, the terminal itself would take ^D for the end of a line
    pty.send("\u0004");
    expect((await pty.exited).exitCode).toBe(1);
  });

  test("job control works", async () => {
    await using pty = await shell("--rm", "-it");
    pty.send(`sh -c 'echo rea""dy; exec cat'\r`);
    await pty.expect("ready");
    pty.send("\u001a");
    await pty.expect("Stopped");
    await pty.expect("# ");
    pty.send("fg\r");
    let typed = 0;
    await waitFor("cat to read again: each line shows twice", () => {
      pty.send("line\r");
      return pty.output.split("line").length - 1 > ++typed;
    });
    pty.send("\u0003");
    await pty.expect("# ");
    pty.send("exit 4\r");
    expect((await pty.exited).exitCode).toBe(4);
  });
});

describe("the person's terminal", () => {
  test("is raw while the container runs, and as it was afterwards", async () => {
    await using pty = await sandbox.pty(words("--rm", "-it", "sh"));
    await pty.expect("# ");
    expect(await pty.modes()).toEqual({ raw: true, echo: false });
    pty.send("exit\r");
    await pty.exited;
    expect(await pty.modes()).toEqual(COOKED);
  });

  test("also when the program cannot be started", async () => {
    await using pty = await sandbox.pty(words("--rm", "-it", "nosuch"));
    expect((await pty.exited).exitCode).toBe(127);
    expect(await pty.modes()).toEqual(COOKED);
    expect(pty.output).toContain("nosuch");
  });

  test.each(["SIGTERM", "SIGHUP", "SIGKILL", "SIGQUIT"] as const)("also after %s to the CLI", async (signal) => {
    await using pty = await shell("--rm", "-it", "--name", "struck");
    pty.kill(signal);
    // An interactive shell ignores TERM and QUIT, and the signal was for it: then it is ended from outside.
    await Bun.sleep(300);
    await sandbox.sampan(["rm", "-f", "struck"]);
    await pty.exited;
    await waitFor("the terminal to be as it was", async () => !(await pty.modes()).raw);
    expect(await pty.modes()).toEqual(COOKED);
    await gone("struck");
  });

  test("also when the container is removed, or its monitor killed", async () => {
    await using pty = await shell("-it", "--name", "monitored");
    const [inspected] = JSON.parse(await sandbox.ok(["container", "inspect", "monitored"])) as { Id: string }[];
    const monitor = Number(/^\d+/.exec(readFileSync(join(sandbox.state, "containers", inspected?.Id ?? "", "monitor"), "utf8"))?.[0]);
    process.kill(monitor, "SIGKILL");
    await pty.exited;
    await waitFor("the terminal to be as it was", async () => !(await pty.modes()).raw);
    await sandbox.ok(["rm", "-f", "monitored"]);
  });

  test("a closed window ends the CLI; the container goes on without it, as with Docker", async () => {
    await using pty = await shell("--rm", "-it", "--name", "window");
    pty.hangup();
    await pty.exited;
    expect(await sandbox.ok(["exec", "window", "echo", "still here"])).toBe("still here");
    await sandbox.ok(["rm", "-f", "window"]);
  });
});

describe("detach", () => {
  test("ctrl-p ctrl-q leaves it running, in a terminal as before", async () => {
    await using pty = await shell("-it", "--name", "left");
    pty.send("\u0010\u0011");
    expect((await pty.exited).exitCode).toBe(0);
    expect(await pty.modes()).toEqual(COOKED);
    expect(await sandbox.ok(["ps", "--format", "{{.Names}} {{.State}}"])).toBe("left running");
    await sandbox.ok(["rm", "-f", "left"]);
  });

  test("--detach-keys, and a ctrl-p that is followed by something else reaches the program", async () => {
    await using pty = await shell("-it", "--name", "keys", "--detach-keys", "ctrl-x,x");
    pty.send('echo rea""dy; cat -v\r');
    await pty.expect("ready");
    pty.send("\u0010\u0011\u0018y\r");
    await pty.expect("^P");
    await pty.expect("^Xy");
    pty.send("\u0018x");
    expect((await pty.exited).exitCode).toBe(0);
    await sandbox.ok(["rm", "-f", "keys"]);
  });
});

test("-it without a terminal: one sentence, and nothing made", async () => {
  const result = await sandbox.sampan(words("--rm", "--name", "unmade", "-it", "true"));
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain("the input device is not a TTY");
  await gone("unmade");
});
