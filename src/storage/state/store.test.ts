import { describe, expect, test } from "bun:test";
import { finishRun, followEvents, forgetContainer, openState, reserveRun, type EventRecord, type NetworkRecord, type Reservation } from "./index.ts";
import { EVENTS_KEPT } from "./events.ts";
import type { StateStore } from "./store.ts";
import { container, containerId, digest, failure, temporaryState } from "./testing.ts";

const network = (more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  id: containerId("ne1"), name: "net", driver: "bridge", bridge: "sampan1", config: "{}", labels: {}, createdMs: 1, ...more,
});
const volume = (name: string, anonymous = false) => ({ name, driver: "local", labels: {}, options: {}, mountpoint: `/v/${name}`, anonymous, createdMs: 1 });

/** Leases the next of ten addresses, as simply as can be. */
function leaseNext(store: StateStore, networkId: string, id: ReturnType<typeof containerId>): string {
  return store.networks.leaseAddress(networkId, id, "10.0.0.0/24", ({ leases, cursor }) => {
    const start = Number(cursor?.split(".")[3] ?? 1);
    for (let i = 1; i <= 10; i++) {
      const address = `10.0.0.${2 + ((start - 2 + i + 10) % 10)}`;
      if (!leases.includes(address)) return { address, cursor: address };
    }
    throw new Error("full");
  }).address;
}

describe("transaction", () => {
  test("all or nothing, also inside another; nothing is seen outside before it ends", () => {
    using state = temporaryState();
    const { store } = state;
    using other = openState(state.path);
    expect(() =>
      store.transaction(() => {
        store.containers.reserve(container({ name: "gone" }));
        throw new Error("no");
      }),
    ).toThrow("no");
    store.transaction(() => {
      store.containers.reserve(container({ name: "kept" }));
      expect(() =>
        store.transaction(() => {
          store.containers.reserve(container({ name: "inner" }));
          throw new Error("inner");
        }),
      ).toThrow("inner");
      expect(failure(() => store.containers.reserve(container({ name: "kept" })))).toContain("Conflict");
      expect(other.containers.list()).toEqual([]);
    });
    expect(other.containers.list().map((record) => record.name)).toEqual(["kept"]);
  });

  test("dataVersion tells of other processes' commits", () => {
    using state = temporaryState();
    using other = openState(state.path);
    const before = other.dataVersion();
    expect(other.dataVersion()).toBe(before);
    state.store.containers.reserve(container());
    expect(other.dataVersion()).not.toBe(before);
  });

  test("a durable one is followed by ordinary ones, and both hold", () => {
    using state = temporaryState();
    state.store.transaction(() => void state.store.containers.reserve(container({ name: "aa" })), { durable: true });
    state.store.containers.reserve(container({ name: "bb" }));
    using other = openState(state.path);
    expect(other.containers.list().length).toBe(2);
  });
});

/** Volumes tell of themselves too. */
const containerEvents = (store: StateStore): EventRecord[] => store.events.list().filter(({ type }) => type === "container");

describe("a container's life", () => {
  const reservation = (more: Partial<Reservation> = {}): Reservation => ({
    container: container({ name: "web", labels: { app: "x" } }),
    resources: [
      { kind: "cgroup", key: "/cg/web", lifetime: "run" },
      { kind: "dir", key: "/d/web", lifetime: "container" },
    ],
    volumes: [
      { name: "data", target: "/data", create: volume("data") },
      { name: "anon", target: "/tmp", create: volume("anon", true) },
    ],
    ports: [{ protocol: "tcp", hostIp: "", hostPort: 8080, containerPort: 80 }],
    actions: ["create"],
    timeNs: 5n,
    ...more,
  });

  test("reserveRun takes everything or nothing", () => {
    using state = temporaryState();
    const { store } = state;
    store.networks.create(network());
    const first = reserveRun(store, reservation({ within: (record) => void leaseNext(store, network().id, record.id) }));
    expect(store.resources.list(first.id).map(({ kind, key }) => `${kind} ${key}`)).toEqual(["cgroup /cg/web", "dir /d/web"]);
    expect(store.volumes.usedBy(first.id)).toEqual([
      { volume: "data", target: "/data" },
      { volume: "anon", target: "/tmp" },
    ]);
    expect(store.networks.addresses(network().id)).toEqual([{ address: "10.0.0.2", containerId: first.id }]);
    expect(containerEvents(store)).toMatchObject([{ action: "create", actorId: first.id, timeNs: 5n, attributes: { name: "web", image: "alpine", app: "x" } }]);

    const snapshot = (): unknown => [
      store.containers.list(), store.ports.list(), store.volumes.list(), store.events.list(), store.networks.addresses(network().id),
      store.resources.orphans(),
    ];
    const before = snapshot();
    const second = container({ name: "second" });
    const port = { protocol: "tcp", hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80 } as const;
    expect(failure(() => reserveRun(
      store,
      reservation({ container: second, ports: [port] }),
    ))).toBe('conflict: Bind for 127.0.0.1:8080 failed: port is already allocated to container "web"');
    expect(failure(() => reserveRun(store, reservation({ ports: [] })))).toContain("Conflict. The container name");
    expect(failure(() => reserveRun(
      store,
      reservation({ container: second, ports: [], volumes: [{ name: "none", target: "/x" }] }),
    ))).toBe("not-found: get none: no such volume");
    expect(() => reserveRun(store, reservation({ container: second, ports: [], within: () => { throw new Error("full"); } }))).toThrow("full");
    expect(snapshot()).toEqual(before);
  });

  test("finishRun gives back what belongs to the run, once; with remove, everything", () => {
    using state = temporaryState();
    const { store } = state;
    store.networks.create(network());
    const start = (name: string, hostPort: number) =>
      reserveRun(store, reservation({
        container: container({ name }),
        ports: [{ protocol: "udp", hostIp: "", hostPort, containerPort: 53 }],
        within: ({ id }) => {
          const ipv4 = leaseNext(store, network().id, id);
          store.endpoints.put({
            id: containerId("e"), networkId: network().id, containerId: id, active: true, interfaceName: "eth0", hostInterface: "veth1",
            macAddress: null, ipv4, ipv6: null, aliases: ["w"], config: '{"ip":1}',
          });
        },
      }));
    const kept = start("kept", 53);
    const ending = { fields: { finishedMs: 9, exitCode: 3, exitSignal: null, oomKilled: true }, remove: false, timeNs: 7n, actions: ["die"] } as const;
    const { container: running } = store.containers.transition(kept.id, ["creating"], "running", { fields: { pid: 1 } });
    expect(finishRun(store, kept.id, { ...ending, revision: running!.revision - 1 })).toBe(false);
    expect(
      failure(() => store.networks.delete(network().id)),
    ).toBe('conflict: error while removing network: network net has active endpoints (name:"kept" id:"e00000000000")');
    expect(finishRun(store, kept.id, ending)).toBe(true);
    expect(finishRun(store, kept.id, { ...ending, fields: { finishedMs: 10, exitCode: 4 } })).toBe(false);
    expect(store.containers.get(kept.id)).toMatchObject({ status: "exited", exitCode: 3, oomKilled: true, pid: null, finishedMs: 9 });
    expect(store.resources.list(kept.id).map(({ kind }) => kind)).toEqual(["dir"]);
    expect(store.networks.addresses(network().id)).toEqual([]);
    expect(store.ports.list()).toEqual([]);
    expect(store.endpoints.ofContainer(kept.id)).toMatchObject([{ active: false, ipv4: null, aliases: ["w"], config: '{"ip":1}' }]);
    expect(store.volumes.users("data")).toEqual([kept.id]);
    expect(containerEvents(store).map(({ action }) => action)).toEqual(["create", "die"]);

    const gone = start("gone", 53);
    // The address given back comes again last.
    expect(store.networks.addresses(network().id)).toEqual([{ address: "10.0.0.3", containerId: gone.id }]);
    expect(finishRun(store, gone.id, { ...ending, remove: true, actions: ["die", "destroy"] })).toBe(true);
    expect(finishRun(store, gone.id, { ...ending, remove: true })).toBe(false);
    expect(store.containers.get(gone.id)).toBeUndefined();
    expect(store.resources.list(gone.id)).toEqual([]);
    expect(store.networks.addresses(network().id)).toEqual([]);
    expect(store.endpoints.ofNetwork(network().id).length).toBe(1);
    expect(store.volumes.users("data")).toEqual([kept.id]);

    expect(forgetContainer(store, kept.id, { timeNs: 8n })).toBe(true);
    expect(forgetContainer(store, kept.id, { timeNs: 8n })).toBe(false);
    expect([store.containers.list(), store.resources.orphans(), store.volumes.users("data")]).toEqual([[], [], []]);
    expect(store.volumes.list({ dangling: true }).map(({ name }) => name)).toEqual(["anon", "data"]);
    expect(store.events.list().at(-1)).toMatchObject({ action: "destroy", actorId: kept.id });
  });

  test("orphans: what a vanished container left, and what an ended one should have given back", () => {
    using state = temporaryState();
    const { store } = state;
    const { id } = reserveRun(store, reservation());
    expect(store.resources.orphans()).toEqual([]);
    store.containers.transition(id, ["creating"], "exited");
    expect(store.resources.orphans().map(({ kind }) => kind)).toEqual(["cgroup"]);
    store.containers.delete(id);
    expect(store.resources.orphans().map(({ kind }) => kind)).toEqual(["cgroup", "dir"]);
    store.resources.release(id, "cgroup", "/cg/web");
    store.resources.release(id, "dir", "/d/web");
    expect(store.resources.orphans()).toEqual([]);
  });

  test("exec sessions: the first exit code counts, and they go with the container", () => {
    using state = temporaryState();
    const { store } = state;
    const { id } = store.containers.reserve(container());
    store.execs.add({ id: "e1", containerId: id, config: "{}", createdMs: 1 });
    store.execs.started("e1", { pid: 5, pidStartTime: 6, monitorPid: null, monitorStartTime: null });
    expect(store.execs.finished("e1", 7, 8)).toBe(true);
    expect(store.execs.finished("e1", 9, 10)).toBe(false);
    expect(store.execs.list(id)).toMatchObject([{ pid: 5, exitCode: 7, finishedMs: 8 }]);
    store.containers.delete(id);
    expect(failure(() => store.execs.get("e1"))).toBe("not-found: No such exec instance: e1");
  });
});

describe("networks, ports, volumes", () => {
  test("network names, bridges, prefixes and the errors Docker gives", () => {
    using state = temporaryState();
    const { networks } = state.store;
    networks.create(network());
    networks.create(network({ id: containerId("ne2"), name: "two", bridge: null, driver: "null", labels: { a: "b" } }));
    expect(failure(() => networks.create(network({ id: containerId("3") })))).toBe("already-exists: network with name net already exists");
    expect(failure(() => networks.create(network({ id: containerId("3"), name: "three" })))).toContain('network "net" has the bridge "sampan1" already');
    expect(networks.find("two").id).toBe(containerId("ne2"));
    expect(failure(() => networks.find("ff"))).toBe("not-found: network ff not found");
    networks.create(network({ id: containerId("ab1"), name: "x1", bridge: null }));
    networks.create(network({ id: containerId("ab2"), name: "x2", bridge: null }));
    expect(networks.find("ab1").name).toBe("x1");
    expect(failure(() => networks.find("ab"))).toBe("invalid: network ab is ambiguous (2 matches found based on ID prefix)");
    expect(networks.list({ drivers: ["null"], labels: [{ key: "a", value: "b" }] }).map(({ name }) => name)).toEqual(["two"]);
    expect(networks.delete(containerId("ab2"))).toBe(true);
    expect(networks.find("ab").name).toBe("x1");
  });

  test("an address is leased once, and a full network changes nothing", () => {
    using state = temporaryState();
    const { store } = state;
    store.networks.create(network());
    const ids = Array.from({ length: 10 }, () => store.containers.reserve(container()).id);
    expect(ids.map((id) => leaseNext(store, network().id, id))).toEqual(Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 2}`));
    expect(() => leaseNext(store, network().id, ids[0]!)).toThrow("full");
    expect(
      failure(() => store.networks.leaseAddress(network().id, ids[0]!, "p", () => ({ address: "10.0.0.5" }))),
    ).toBe("conflict: Address already in use: 10.0.0.5");
    store.networks.releaseAddresses(ids[3]!);
    expect(leaseNext(store, network().id, ids[0]!)).toBe("10.0.0.5");
  });

  test.each([
    ["", "127.0.0.1", true],
    ["0.0.0.0", "127.0.0.1", true],
    ["0.0.0.0", "::", false],
    ["127.0.0.1", "10.0.0.1", false],
    ["::", "fd00::1", true],
    ["", "::1", true],
    ["::1", "::1", true],
    ["::", "127.0.0.1", false],
  ])("port 80 on %j and on %j: conflict %p", (a, b, conflict) => {
    for (const [first, second] of [[a, b], [b, a]] as const) {
      using state = temporaryState();
      const { store } = state;
      const one = store.containers.reserve(container({ name: "one" })).id;
      const two = store.containers.reserve(container({ name: "two" })).id;
      const lease = (
        hostIp: string,
        containerId: typeof one,
        protocol: "tcp" | "udp" = "tcp",
      ): void => store.ports.lease([{ protocol, hostIp, hostPort: 80, containerPort: 80, containerId }]);
      lease(first, one);
      lease(first, two, "udp");
      if (conflict) expect(failure(() => lease(second, two))).toContain('port is already allocated to container "one"');
      else lease(second, two);
    }
  });

  test("volumes: made once, refused while in use, Docker's words", () => {
    using state = temporaryState();
    const { volumes, containers } = state.store;
    expect(volumes.create(volume("data"))).toMatchObject({ created: true });
    expect(volumes.create({ ...volume("data"), mountpoint: "/elsewhere" })).toMatchObject({ created: false, volume: { mountpoint: "/v/data" } });
    const { id } = containers.reserve(container());
    volumes.use("data", id, "/data");
    expect(failure(() => volumes.delete("data"))).toBe(`conflict: remove data: volume is in use - [${id}]`);
    containers.delete(id);
    expect(volumes.delete("data").mountpoint).toBe("/v/data");
    expect(failure(() => volumes.delete("data"))).toBe("not-found: get data: no such volume");
  });
});

describe("images and layers", () => {
  const image = (id: string, layers: string[]) => ({
    id: digest(id), manifestDigest: digest(`${id}f`), platform: "linux/amd64", createdMs: 1, storedMs: 2, sizeBytes: 3,
    chainIds: layers.map(digest), blobs: [digest(id), digest(`${id}f`)], repoDigests: ["r@sha256:1"], labels: { a: "b" },
  });

  test("tags move; an image is found by tag, prefix and manifest", () => {
    using state = temporaryState();
    const { images } = state.store;
    images.put(image("aa1", ["1"]));
    images.put(image("aa2", ["1", "2"]));
    images.put({ ...image("aa1", ["1"]), sizeBytes: 99 });
    expect(images.get(digest("aa1"))).toEqual({ ...image("aa1", ["1"]), sizeBytes: 99 });
    expect(images.tag("docker.io/library/x:latest", digest("aa1"), 1)).toBeUndefined();
    expect(images.tag("docker.io/library/x:latest", digest("aa2"), 2)).toBe(digest("aa1"));
    expect(images.tagged("docker.io/library/x:latest")?.id).toBe(digest("aa2"));
    expect(images.list({ dangling: true }).map(({ id }) => id)).toEqual([digest("aa1")]);
    expect(images.withIdPrefix("sha256:aa2")?.id).toBe(digest("aa2"));
    expect(images.withIdPrefix("bb")).toBeUndefined();
    expect(failure(() => images.withIdPrefix("aa"))).toBe("invalid: multiple IDs found with provided prefix: aa");
    expect(images.withManifest(digest("aa2f"))?.id).toBe(digest("aa2"));
    expect(failure(() => images.tag("y", digest("cc"), 1))).toContain("not-found: No such image");
    expect(images.delete(digest("aa2"))).toBe(true);
    expect(images.tags()).toEqual([]);
  });

  test("a layer lives while an image, a container or a lease wants it", () => {
    using state = temporaryState();
    const { store } = state;
    for (const id of ["1", "2", "3", "4"])
      expect(store.layers.put({ chainId: digest(id), diffId: digest(id), parent: null, sizeBytes: 1, path: `/l/${id}`, createdMs: Number(id) })).toBe(true);
    expect(store.layers.put({ chainId: digest("1"), diffId: digest("1"), parent: null, sizeBytes: 1, path: "/l/second", createdMs: 5 })).toBe(false);
    store.images.put(image("aa", ["1", "2"]));
    store.images.put(image("bb", ["1"]));
    const { id } = store.containers.reserve(container({ chainIds: [digest("1"), digest("2")] }));
    store.layers.lease({ id: "pull", ownerPid: 1, ownerStartTime: 2, bootId: "b", expiresMs: 100 }, [digest("3"), digest("b10b")]);
    expect(store.layers.references(digest("1"))).toBe(2);
    expect(store.layers.unreferenced().map(({ path }) => path)).toEqual(["/l/4"]);
    expect(store.layers.liveBlobs()).toEqual(new Set([digest("aa"), digest("aaf"), digest("bb"), digest("bbf"), digest("3"), digest("b10b")]));
    expect(store.layers.deleteUnreferenced(digest("1"))).toBe(false);
    expect(store.layers.deleteUnreferenced(digest("4"))).toBe(true);
    store.images.delete(digest("aa"));
    expect(store.layers.unreferenced()).toEqual([]);
    store.containers.delete(id);
    expect(store.layers.unreferenced().map(({ path }) => path)).toEqual(["/l/2"]);
    expect(store.layers.expireLeases(50, () => true)).toEqual([]);
    expect(store.layers.expireLeases(50, () => false)).toEqual(["pull"]);
    expect(store.layers.unreferenced().map(({ path }) => path)).toEqual(["/l/3", "/l/2"]);
  });
});

describe("events", () => {
  const event = (action: string, timeNs = 1n) => ({ timeNs, type: "container", action, actorId: "x", attributes: { a: "b" } }) as const;

  test("kept to the nanosecond, asked for by time and by place", () => {
    using state = temporaryState();
    const { events } = state.store;
    const base = 1_790_000_000_123_456_789n;
    for (let i = 0n; i < 5n; i++) events.append(event(`e${i}`, base + i));
    const actions = (list: EventRecord[]): string => list.map(({ action }) => action).join();
    expect(events.list()[4]).toEqual({ id: 5, ...event("e4", base + 4n) });
    expect(actions(events.list({ sinceNs: base + 1n, untilNs: base + 3n }))).toBe("e1,e2,e3");
    expect(actions(events.list({ afterId: 3 }))).toBe("e3,e4");
    expect(actions(events.list({ limit: 1 }))).toBe("e0");
    events.prune(2);
    expect(actions(events.list())).toBe("e3,e4");
    expect(events.append(event("e5"))).toBe(6);
  });

  test("their number is bounded", () => {
    using state = temporaryState();
    const { store } = state;
    store.transaction(() => {
      for (let i = 0; i < EVENTS_KEPT + 600; i++) store.events.append(event("x"));
    });
    expect(store.events.list().length).toBeLessThan(EVENTS_KEPT + 256);
    expect(store.events.lastId()).toBe(EVENTS_KEPT + 600);
  });

  test("another store's are followed at once, and the end is asked for", async () => {
    using state = temporaryState();
    using other = openState(state.path);
    const stop = new AbortController();
    state.store.events.append(event("before"));
    const seen: string[] = [];
    const delays: number[] = [];
    let sent = 0;
    const following = (async () => {
      for await (const { action } of followEvents(other, { signal: stop.signal })) {
        delays.push(performance.now() - sent);
        seen.push(action);
        if (action === "e4") stop.abort();
      }
    })();
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      sent = performance.now();
      state.store.events.append(event(`e${i}`));
    }
    await following;
    expect(seen).toEqual(["e0", "e1", "e2", "e3", "e4"]);
    // Told by inotify: the timer alone would make it 500.
    expect(Math.min(...delays)).toBeLessThan(200);
  });
});
