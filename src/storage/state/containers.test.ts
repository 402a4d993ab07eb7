import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeUpName } from "./names.ts";
import { isResourceName } from "./containers.ts";
import { container, containerId, digest, failure, temporaryState } from "./testing.ts";

describe("containers", () => {
  test("a record comes back as it was reserved, every field of it", () => {
    using state = temporaryState();
    const given = container({
      name: "web",
      imageId: digest("a1"),
      chainIds: [digest("1"), digest("2")],
      labels: { a: "1", "b.c/d\"e'": "ü" },
      command: "sh -c 'x'",
      autoRemove: true,
      pid: 17,
      pidStartTime: 123_456_789,
      bootId: "b",
      restartPolicy: "on-failure",
      restartMaxRetries: 3,
      config: '{"deep":[1,2]}',
    });
    const reserved = state.store.containers.reserve(given);
    const { config, ...fields } = given;
    expect(reserved).toMatchObject({ ...fields, status: "creating", revision: 1, exitCode: null, oomKilled: false, error: "" });
    expect(state.store.containers.get(given.id)).toEqual(reserved);
    expect(state.store.containers.config(given.id)).toBe(config);
    state.store.containers.setConfig(given.id, "{}");
    expect(state.store.containers.config(given.id)).toBe("{}");
  });

  test("a name is had once, in Docker's words; removing or renaming frees it", () => {
    using state = temporaryState();
    const { containers } = state.store;
    const first = containers.reserve(container({ name: "web" }));
    const words = `conflict: Conflict. The container name "/web" is already in use by container "${first.id}". You have to remove (or rename) that container to be able to reuse that name.`;
    expect(failure(() => containers.reserve(container({ name: "web" })))).toBe(words);
    const second = containers.reserve(container({ name: "db" }));
    expect(failure(() => containers.rename(second.id, "web"))).toBe(words);
    containers.rename(first.id, "old");
    containers.rename(second.id, "web");
    expect(containers.find("web").id).toBe(second.id);
    containers.delete(second.id);
    expect(containers.reserve(container({ name: "web" })).name).toBe("web");
    expect(containers.list().length).toBe(2);
  });

  test.each(["", "-x", "a", "../x", "a/b", "a b", "é"])("%j is no name", (name) => {
    using state = temporaryState();
    expect(
      failure(() => state.store.containers.reserve(container({ name }))),
    ).toBe(`invalid: Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    expect(state.store.containers.list()).toEqual([]);
  });

  test("find: id before name before prefix; Docker's errors", () => {
    using state = temporaryState();
    const { containers } = state.store;
    const a = containers.reserve(container({ id: containerId("abc1"), name: "one" }));
    const b = containers.reserve(container({ id: containerId("abc2"), name: "abc1" }));
    // A name that is another's full id: the id counts.
    const c = containers.reserve(container({ id: containerId("def"), name: a.id }));
    expect(containers.find(a.id).id).toBe(a.id);
    expect(containers.find("abc1").id).toBe(b.id);
    expect(containers.find("/one").id).toBe(a.id);
    expect(containers.find("d").id).toBe(c.id);
    expect(containers.find("abc10").id).toBe(a.id);
    expect(failure(() => containers.find("abc"))).toBe("invalid: multiple IDs found with provided prefix: abc");
    for (const missing of ["abd", "One", "abc1%", "a_c", `${a.id}0`])
      expect(failure(() => containers.find(missing))).toBe(`not-found: No such container: ${missing}`);
    expect(failure(() => containers.find(""))).toContain("invalid: ");
  });

  test("find by prefix agrees with a plain search", () => {
    using state = temporaryState();
    const ids = fc.sample(fc.stringMatching(/^[0-9a-f]{64}$/), 40);
    for (const id of ids) state.store.containers.reserve(container({ id: containerId(id) }));
    fc.assert(
      fc.property(fc.oneof(fc.stringMatching(/^[0-9a-f]{1,3}$/), fc.constantFrom(...ids).chain((id) => fc.nat(64).map((n) => id.slice(0, n + 1)))), (
        prefix,
      ) => {
        const matches = ids.filter((id) => id.startsWith(prefix));
        const answer = matches.length === 1 ? state.store.containers.find(prefix).id : failure(() => state.store.containers.find(prefix));
        expect(answer).toBe(matches.length === 1 ? matches[0]! : matches.length === 0
          ? `not-found: No such container: ${prefix}`
          : `invalid: multiple IDs found with provided prefix: ${prefix}`);
      }),
    );
  });

  test("list: newest first; each filter, and all together", () => {
    using state = temporaryState();
    const { containers, volumes } = state.store;
    const a = containers.reserve(container({ name: "aa", createdMs: 1, labels: { app: "x", tier: "1" }, imageId: digest("1") }));
    const b = containers.reserve(container({ name: "bb", createdMs: 3, labels: { app: "y" } }));
    const c = containers.reserve(container({ name: "cc", createdMs: 2, labels: { app: "x" }, imageId: digest("1") }));
    containers.transition(c.id, ["creating"], "running");
    volumes.create({ name: "data", driver: "local", labels: {}, options: {}, mountpoint: "/v", anonymous: false, createdMs: 1 });
    volumes.use("data", b.id, "/data");
    const names = (filter: Parameters<typeof containers.list>[0]): string => containers.list(filter).map((record) => record.name).join();
    expect(names({})).toBe("bb,cc,aa");
    expect(names({ statuses: ["running", "paused"] })).toBe("cc");
    expect(names({ statuses: [] })).toBe("");
    expect(names({ labels: [{ key: "app", value: "x" }] })).toBe("cc,aa");
    expect(names({ labels: [{ key: "app", value: "x" }, { key: "tier" }] })).toBe("aa");
    expect(names({ imageIds: [digest("1")], statuses: ["creating"] })).toBe("aa");
    expect(names({ volume: "data" })).toBe("bb");
    expect(containers.get(a.id)?.labels).toEqual({ app: "x", tier: "1" });
  });

  test("transition: compare and set, by status and by revision", () => {
    using state = temporaryState();
    const { containers } = state.store;
    const { id } = containers.reserve(container());
    const started = containers.transition(id, ["creating", "created"], "running", { fields: { pid: 5, pidStartTime: 6, startedMs: 7 } });
    expect(started).toMatchObject({ moved: true, container: { status: "running", pid: 5, startedMs: 7, revision: 2 } });
    expect(containers.transition(id, ["created"], "running", { fields: { pid: 9 } })).toMatchObject({ moved: false, container: { pid: 5 } });
    containers.update(id, { oomKilled: true });
    expect(containers.transition(id, ["running"], "exited", { revision: 2 }).moved).toBe(false);
    expect(containers.transition(id, ["running"], "exited", { revision: 3, fields: { exitCode: 137 } })).toMatchObject({
      moved: true,
      container: { exitCode: 137, oomKilled: true, revision: 4 },
    });
    expect(containers.transition(containerId(), ["running"], "exited")).toEqual({ moved: false, container: undefined });
    expect(containers.update(containerId(), { pid: 1 })).toBe(false);
  });
});

test("made-up names are valid, many, and never one that is taken", () => {
  using state = temporaryState();
  const names = Array.from({ length: 300 }, () => state.store.containers.reserve(container()).name);
  expect(new Set(names).size).toBe(300);
  expect(names.filter((name) => !isResourceName(name) || !/^[a-z]+_[a-z]+\d*$/.test(name))).toEqual([]);
  // A die that always falls on the same side: it has to start numbering.
  const taken = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const name = makeUpName((candidate) => taken.has(candidate), i < 1 ? () => 0 : () => i / 10);
    expect(taken.has(name)).toBe(false);
    taken.add(name);
  }
  expect(makeUpName((name) => !/\d$/.test(name), () => 0.5)).toMatch(/\d$/);
});
