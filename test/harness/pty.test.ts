// parallel-safe
// The pty helper is what proves terminals: here it is proven itself, with programs that are not ours.
import { expect, test } from "bun:test";
import { buildProbe, openPty, parseFacts } from "../support/index.ts";

test("a command has the terminal as its controlling one, with the size asked for", async () => {
  await using pty = await openPty([await buildProbe()], { rows: 33, cols: 101 });
  expect(await pty.exited).toEqual({ exitCode: 0, signal: null });
  const { tty, pid } = parseFacts(pty.output);
  expect(tty).toMatchObject({ isatty: [true, true, true], rows: 33, cols: 101, controlling: true, sid: pid, foreground_pgrp: pid });
});

test("what is typed is echoed and answered, and a new size is seen", async () => {
  await using pty = await openPty(["sh"], { env: { PS1: "ready> " } });
  await pty.expect("ready> ");
  pty.send("echo one-$((1+1))\n");
  await pty.expect("one-2");
  pty.resize(11, 22);
  pty.send("stty size\n");
  await pty.expect("11 22");
  pty.send("exit 7\n");
  expect(await pty.exited).toEqual({ exitCode: 7, signal: null });
});

test("modes are those of the terminal, also after the command has ended", async () => {
  await using pty = await openPty(["sh", "-c", "stty raw -echo; echo set; read -r line"]);
  expect(await pty.modes()).toBeDefined();
  await pty.expect("set");
  expect(await pty.modes()).toEqual({ raw: true, echo: false });
  pty.kill("SIGKILL");
  expect(await pty.exited).toEqual({ exitCode: null, signal: 9 });
  expect(await pty.modes()).toEqual({ raw: true, echo: false });
});

test("the interrupt character is a signal, and a closed window hangs up", async () => {
  await using first = await openPty(["sleep", "60"]);
  first.send("\x03");
  expect(await first.exited).toEqual({ exitCode: null, signal: 2 });
  await using second = await openPty(["sh", "-c", "trap 'exit 9' HUP; echo up; while :; do sleep 0.05; done"]);
  await second.expect("up");
  second.hangup();
  expect(await second.exited).toEqual({ exitCode: 9, signal: null });
});

test("expect says what was shown instead", async () => {
  await using pty = await openPty(["echo", "something else"]);
  const complaint = await pty.expect("hello", 2_000).catch((error: unknown) => String(error));
  expect(complaint).toContain('hello did not show up: the command ended with 0; shown since the last match: "something else');
});
