import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import * as C from "../../src/linux/constants.ts";
import { Part, Session } from "../../src/plan/session.ts";
import { KEEL, createTempDir } from "../support/index.ts";
import { rejection } from "../support/rejection.ts";

test("parts run one after the other; results, bytes and descriptors come back; a failure ends it and says why", async () => {
  using temp = createTempDir();
  using session = await Session.open({ keel: KEEL, directory: temp.path });
  expect(readdirSync(temp.path)).toEqual([]);
  const first = new Part();
  const opened = first.collect(first.line.call("openat", [C.AT_FDCWD, "/proc/self/comm", C.O_RDONLY, 0], { register: 0 }));
  const missing = first.collect(first.line.call("openat", [C.AT_FDCWD, "/nowhere", C.O_RDONLY, 0], { tolerate: "any" }));
  const reply = session.run(first);
  expect(reply.result(opened)).toBeGreaterThan(2);
  expect(reply.result(missing)).toBe(-2);
  const second = new Part();
  const out = second.plan.out(64);
  const read = second.collect(second.line.call("read", [{ register: 0 }, { out: out.out }, 64]));
  const text = session.run(second);
  expect(text.out.toString("latin1", out.out, out.out + text.result(read))).toContain("keel\n");
  for (let i = 0; i < 500; i++) {
    const part = new Part();
    const pid = part.collect(part.line.call("getpid", []));
    expect(session.run(part).result(pid)).toBe(session.pid);
  }
  const last = new Part();
  last.line.call("mkdirat", [C.AT_FDCWD, "/proc/no", 0], { what: "make a directory" });
  expect(() => session.run(last)).toThrow(/Cannot make a directory: mkdirat: .*\(ENOENT\)/);
  expect(() => session.run(new Part())).toThrow("ended");
  expect(await session.ended).toBe(125);
});

test("an answer may be taken later, and many megabytes go through", async () => {
  using temp = createTempDir();
  using session = await Session.open({ keel: KEEL, directory: temp.path });
  const bytes = new Uint8Array(3 << 20).fill(7);
  for (let i = 0; i < 20; i++) {
    const part = new Part();
    const file = part.line.call("openat", [C.AT_FDCWD, "/dev/null", C.O_WRONLY, 0]);
    part.line.call("write", [file, bytes, bytes.length], { expect: bytes.length });
    part.line.call("close", [file]);
    session.post(part);
    expect(() => { session.post(new Part()); }).toThrow("has not been taken");
    session.take();
  }
  session[Symbol.dispose]();
  expect(await session.ended).toBe(0);
});

test("an executor that is not there is told, and nothing stays", async () => {
  using temp = createTempDir();
  await rejection(Session.open({ keel: "/no/keel", directory: temp.path }));
  expect(readdirSync(temp.path)).toEqual([]);
});
