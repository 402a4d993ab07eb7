import { describe, expect, test } from "bun:test";
import { SampanError } from "../base/errors.ts";
import { Door } from "./door.ts";
import { openEngine } from "./index.ts";

async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "fulfilled";
  } catch (error) {
    return error instanceof SampanError ? error.kind : String(error);
  }
}

async function readAll(source: AsyncIterable<unknown>): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const value of source) read.push(value);
  return read;
}

describe("every use case", () => {
  test("refuses a caller who has cancelled already, and one who comes after the end, before it looks at anything else", async () => {
    // Neither can be made: whoever came that far would say so.
    const engine = await openEngine({ root: "/dev/null/root", state: "/dev/null/state" });
    const call = (method: unknown, signal: AbortSignal | undefined): Promise<string> => {
      const given = (method as (options: unknown) => unknown)({ signal }); // a method of the engine, given its last parameter only
      return kindOf(given instanceof Promise ? given : readAll(given as AsyncIterable<unknown>));
    };
    const rooms = Object.entries(engine).filter(([, room]) => typeof room === "object");
    // an object, as was seen
    const methods = rooms.flatMap(([room, api]) =>
      Object.entries(api as object).map(([name, method]) => ({ name: `${room}.${name}`, method: method as unknown })));
    expect(methods.length).toBeGreaterThan(55);
    for (const { name, method } of methods) expect([name, await call(method, AbortSignal.abort())]).toEqual([name, "cancelled"]);
    await engine[Symbol.asyncDispose]();
    for (const { name, method } of methods) expect([name, await call(method, undefined)]).toEqual([name, "wrong-state"]);
  });
});

describe("a cancellation", () => {
  // an AbortError
  const waits = (options: { signal: AbortSignal }): Promise<string> =>
    new Promise((_, reject) => { options.signal.addEventListener("abort", () => { reject(options.signal.reason as Error); }); });
  async function* counts(options: { signal: AbortSignal }): AsyncGenerator<number> {
    for (let count = 0; !options.signal.aborted; count++) {
      yield count;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const failing = (_: object): Promise<void> => Promise.reject(new RangeError("of its own"));

  test("is told as one, whoever noticed it", async () => {
    const api = new Door(() => undefined).guard({ waits, counts, failing }, ["counts"]);
    const controller = new AbortController();
    const waiting = kindOf(api.waits({ signal: controller.signal }));
    const counting = kindOf(readAll(api.counts({ signal: controller.signal })));
    controller.abort();
    expect(await waiting).toBe("cancelled");
    // It ends without a word, as if there were no more.
    expect(await counting).toBe("cancelled");
    expect(await kindOf(api.failing({ signal: controller.signal }))).toBe("cancelled");
    expect(await kindOf(api.failing({}))).toBe("RangeError: of its own");
  });

  test("has the reason as its cause", async () => {
    const api = new Door(() => undefined).guard({ waits });
    const reason = new Error("because");
    const error = await api.waits({ signal: AbortSignal.abort(reason) }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: "cancelled", cause: reason });
  });
});

test("what is under way goes on, and whoever leaves last closes", async () => {
  const events: string[] = [];
  let finish = (): void => undefined;
  const work = (_: object): Promise<string> => new Promise((resolve) => { finish = (): void => { events.push("worked"); resolve("done"); }; });
  async function* items(_: object): AsyncGenerator<number> {
    yield 1;
    yield 2;
  }
  const door = new Door(() => { events.push("closed"); });
  const api = door.guard({ work, items }, ["items"]);
  const working = api.work({});
  const reading = api.items({})[Symbol.asyncIterator]();
  expect(await reading.next()).toEqual({ done: false, value: 1 });
  door.close();
  expect(await kindOf(api.work({}))).toBe("wrong-state");
  finish();
  expect(await working).toBe("done");
  expect(events).toEqual(["worked"]);
  expect(await reading.next()).toEqual({ done: false, value: 2 });
  await reading.return?.(undefined);
  expect(events).toEqual(["worked", "closed"]);
});
