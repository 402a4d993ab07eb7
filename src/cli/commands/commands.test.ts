import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { Engine } from "../../engine/api.ts";
import type { CommandDefinition } from "../command.ts";
import { main } from "../main.ts";
import { recordedIo } from "../testing.ts";
import { type CommandEntry, commandTable } from "./table.ts";

/** bun's matchers are of type any. */
const containing = (text: string): string => expect.stringContaining(text) as string;
const objectWith = (fields: object): object => expect.objectContaining(fields) as object;
const anything = (): unknown => expect.anything();

const groups = ["container", "image", "network", "volume", "system"];
const files = groups.flatMap((group) =>
  readdirSync(new URL(group, import.meta.url)).filter((file) => !file.endsWith(".test.ts")).map((file) => `${group}/${file.slice(0, -3)}`));

async function loadAll(): Promise<Map<string, CommandDefinition>> {
  const loaded = new Map<string, CommandDefinition>();
  for (const path of files) {
    const module = (await import(`./${path}.ts`)) as { command?: CommandDefinition }; // the export that every command file has
    if (module.command !== undefined) loaded.set(path, module.command);
  }
  return loaded;
}
const definitions = await loadAll();

describe("every command", () => {
  test("is there", () => expect(definitions.size).toBeGreaterThan(55));

  test.each([...definitions])("%s has a well-formed table", (_, { flags, summary, args }) => {
    expect(summary).toMatch(/^[A-Z][^\n]*[^.\n]$/);
    expect(args.min).toBeLessThanOrEqual(args.max);
    const names = Object.entries(flags).flatMap(([name, flag]) => [name, ...(flag.aliases ?? [])]);
    const letters = Object.values(flags).flatMap(({ short }) => short ?? []);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(letters).size).toBe(letters.length);
    expect(names).not.toContain("help");
    for (const [name, flag] of Object.entries(flags)) {
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(flag.short ?? "x").toMatch(/^[a-zA-Z]$/);
      // A switch is told from a flag with a value by this alone.
      expect(flag.valueName === "").toBe(typeof flag.initial === "boolean");
      if (flag.hidden !== true) expect(flag.help).toMatch(/^[a-zA-Z][^\n]*[^.\n]$/);
    }
  });

  test("of the table has the summary of its definition, names of its own, and says it helps", async () => {
    const seen = new Set<string>();
    for (const entry of commandTable()) {
      expect((await entry.load()).command.summary).toBe(entry.summary);
      for (const path of entry.paths) {
        expect(seen.has(path)).toBe(false);
        seen.add(path);
        const io = recordedIo();
        expect(await main([...path.split(" "), "--help"], io)).toBe(0);
        expect(io.written.out).toStartWith(`Usage:  sampan ${path}`);
      }
    }
  });
});

type Call = readonly [method: string, ...args: unknown[]];

/** An engine that records its calls and answers from `answers`, by "containers.stop"; an Error is thrown. */
function fakeEngine(calls: Call[], answers: Readonly<Record<string, unknown>>): Engine {
  const room = (name: string): unknown =>
    new Proxy({}, {
      get: (_, method: string) => (...args: unknown[]) => {
        calls.push([`${name}.${method}`, ...args.map((arg) => (arg instanceof Object && "signal" in arg ? { ...arg, signal: undefined } : arg))]);
        const answer = answers[`${name}.${method}`];
        const value: unknown = typeof answer === "function" ? (answer as (...args: unknown[]) => unknown)(...args) : answer; // the tests' own
        if (value instanceof Error) throw value;
        return value;
      },
    });
  const engine = {
    containers: room("containers"), images: room("images"), registries: room("registries"), networks: room("networks"), volumes: room("volumes"),
    system: room("system"), async [Symbol.asyncDispose]() { calls.push(["dispose"]); },
  };
  return engine as Engine; // only the methods that a test answers are ever called
}

async function run(path: string, argv: readonly string[], answers: Readonly<Record<string, unknown>> = {}, options: Parameters<typeof recordedIo>[0] = {}) {
  const definition = definitions.get(path);
  if (definition === undefined) throw new Error(`no command in ${path}`);
  const name = path.split("/")[1] ?? "";
  const entry: CommandEntry = { paths: [name], summary: definition.summary, load: async () => ({ command: definition }) };
  const calls: Call[] = [];
  const io = recordedIo(options);
  const code = await main([name, ...argv], io, { openEngine: async () => fakeEngine(calls, answers), table: () => [entry] });
  return { code, calls, ...io.written };
}

async function* chunks<T>(...items: T[]): AsyncGenerator<T> {
  for (const item of items) yield item;
}

const missing = (name: string): SampanError => new SampanError("not-found", `No such container: ${name}`);

describe("names", () => {
  test.each(["stop", "restart", "kill", "pause", "unpause", "start", "rm"])("%s tries every name, tells every failure, prints every success", async (verb) => {
    const method = verb === "rm" ? "remove" : verb;
    const result = await run(
      `container/${verb}`, ["a", "gone", "b"], { [`containers.${method}`]: (name: string) => (name === "gone" ? missing(name) : undefined) },
    );
    expect(result).toMatchObject({ code: 1, out: "a\nb\n", err: "sampan: No such container: gone\n" });
    expect(result.calls.map(([, name]) => name)).toEqual(["a", "gone", "b", undefined]);
    expect(result.calls.at(-1)).toEqual(["dispose"]);
  });

  test("flags reach the engine", async () => {
    expect((await run("container/stop", ["-t", "3", "-s", "int", "a"])).calls[0]).toEqual([
      "containers.stop", "a", { stopSignal: "int", timeoutSeconds: 3, signal: undefined },
    ]);
    expect((await run("container/kill", ["-s", "", "a"])).calls[0]?.[2]).toMatchObject({ killSignal: "SIGKILL" });
    expect((await run("container/kill", ["-s", "9", "a"])).calls[0]).toEqual(["containers.kill", "a", { killSignal: "9", signal: undefined }]);
    expect((await run("container/rm", ["-fv", "a"])).calls[0]).toEqual(["containers.remove", "a", { force: true, volumes: true, signal: undefined }]);
  });

  test("rm -f of what is not there is no failure", async () => {
    expect(await run("container/rm", ["-f", "gone"], { "containers.remove": missing("gone") })).toMatchObject({
      code: 0, out: "", err: "sampan: No such container: gone\n",
    });
    expect(await run("volume/rm", ["-f", "gone"], { "volumes.remove": missing("gone") })).toMatchObject({ code: 0 });
  });

  test("wait prints exit codes", async () => {
    expect(await run("container/wait", ["a", "b"], { "containers.wait": (name: string) => (name === "a" ? 137 : 0) })).toMatchObject({
      code: 0, out: "137\n0\n",
    });
  });
});

describe("run and its kin", () => {
  const result = { exitCode: 7, detached: false, id: "f".repeat(64), warnings: ["no swap"] };

  test("run gives back the container's exit code", async () => {
    const { code, calls, err } = await run("container/run", ["--rm", "alpine", "sh", "-c", "exit 7"], { "containers.run": result });
    expect(code).toBe(7);
    expect(err).toBe("WARNING: no swap\n");
    expect(calls[0]).toEqual([
      "containers.run", objectWith({ image: "alpine", remove: true, command: ["sh", "-c", "exit 7"] }),
      { streams: { stdin: undefined, stdout: 1, stderr: 2 }, onProgress: anything() },
    ]);
  });

  test("run -d prints the id", async () => {
    expect(await run("container/run", ["-d", "alpine"], { "containers.run": { ...result, exitCode: 0 } })).toMatchObject({ code: 0, out: `${result.id}\n` });
  });

  test("bad flags are told together, exit code 125, no engine", async () => {
    const { code, err, calls } = await run("container/run", ["--foo", "-m", "5x", "alpine"]);
    expect(code).toBe(125);
    expect(calls).toEqual([]);
    expect(err).toBe(`sampan: unknown flag: --foo\nsampan: invalid argument "5x" for "-m, --memory" flag: invalid size: '5x'\nSee 'sampan run --help'.\n`);
  });

  test("the engine's failures are 125, those of the program 126 and 127", async () => {
    expect((await run("container/run", ["x"], { "containers.run": missing("x") })).code).toBe(125);
    expect((await run("container/run", ["x"], { "containers.run": new SampanError("not-found", "no sh", { exitCode: 127 }) })).code).toBe(127);
    expect((await run("container/create", ["x"], { "containers.create": missing("x") })).code).toBe(1);
  });

  test("-it needs a terminal", async () => {
    const { code, err } = await run("container/run", ["-it", "x"], { "containers.run": result });
    expect(code).toBe(1);
    expect(err).toContain("the input device is not a TTY");
    expect((await run("container/run", ["-it", "x"], { "containers.run": result }, { terminal: true })).code).toBe(7);
  });

  test("a pull shows its progress on standard error", async () => {
    const answer = (_: unknown, { onProgress }: { onProgress: (progress: unknown) => void }) => {
      onProgress({ id: "abc", status: "Pull complete" });
      return { ...result, exitCode: 0, warnings: [] };
    };
    expect(await run("container/run", ["x"], { "containers.run": answer })).toMatchObject({ err: "abc: Pull complete\n", out: "" });
    expect(await run("container/create", ["x"], { "containers.create": { id: "1", warnings: [] } })).toMatchObject({ out: "1\n" });
  });

  test("explain and trace read a run line", async () => {
    expect(await run("container/explain", ["run", "-m", "64m", "host", "true"], { "containers.explain": { text: () => "clone3\n" } })).toMatchObject({
      code: 0, out: "clone3\n",
    });
    expect(await run("container/explain", ["ps"])).toMatchObject({ code: 125, err: containing(`'sampan explain' knows no "ps"`) });
    expect(await run("container/explain", ["run", "--bogus", "x"])).toMatchObject({ code: 125 });
    const trace = { ...result, text: () => "bars\n", html: () => "", toJSON: () => ({ totalUs: 5 }) };
    expect(await run("container/trace", ["run", "host"], { "containers.trace": trace })).toMatchObject({ code: 7, out: "bars\n" });
    expect(JSON.parse((await run("container/trace", ["--json", "run", "host"], { "containers.trace": trace })).out)).toEqual({ totalUs: 5 });
  });

  test("exec", async () => {
    const { code, calls } = await run("container/exec", ["-e", "A=1", "-w", "/x", "web", "ls", "-l"], { "containers.exec": {
      exitCode: 127, detached: false,
    } });
    expect(code).toBe(127);
    expect(calls[0]).toEqual([
      "containers.exec", "web", objectWith({ command: ["ls", "-l"], env: ["A=1"], workdir: "/x" }),
      { streams: { stdin: undefined, stdout: 1, stderr: 2 }, detachKeys: undefined },
    ]);
    expect(await run("container/exec", ["web"])).toMatchObject({ code: 1, err: containing("'sampan exec' requires at least 2 arguments") });
  });

  test("update", async () => {
    const { calls } = await run("container/update", ["-m", "64m", "--restart", "always", "web"], { "containers.update": { warnings: [] } });
    expect(calls[0]).toEqual([
      "containers.update", "web", { resources: { memoryBytes: 64 << 20 }, restart: { name: "always", maximumRetryCount: 0 } }, { signal: undefined },
    ]);
    expect((await run("container/update", ["--memory-swap", "1g", "web"], { "containers.update": { warnings: [] } })).calls[0]?.[2]).toMatchObject({
      resources: { memorySwapBytes: 1 << 30 },
    });
    expect(await run("container/update", ["web"])).toMatchObject({ code: 1, err: containing("you must provide one or more flags") });
  });
});

describe("output", () => {
  test("logs goes to the stream it came from, with times at the starts of lines", async () => {
    const record = (stream: string, data: string) => ({ stream, time: "T", data: Buffer.from(data) });
    const answers = () => ({ "containers.logs": chunks(record("stdout", "a\n"), record("stderr", "b\n"), record("stdout", "c"), record("stdout", "d\n")) });
    expect(await run("container/logs", ["web"], answers())).toMatchObject({ out: "a\ncd\n", err: "b\n", code: 0 });
    expect(await run("container/logs", ["-t", "web"], answers())).toMatchObject({ out: "T a\nT cd\n", err: "T b\n" });
    expect((await run("container/logs", ["-n", "3", "--since", "1m", "web"], answers())).calls[0]?.[2]).toMatchObject({
      tail: 3, sinceNs: 1_699_999_940_000_000_000n, follow: false,
    });
    expect(await run("container/logs", ["--since", "never", "web"])).toMatchObject({ code: 1, err: containing('invalid value for "since"') });
  });

  test("ps tells of a wrong format although there is nothing to print", async () => {
    expect(await run("container/ps", ["--format", "{{.Foo}}"], { "containers.list": [] })).toMatchObject({
      code: 1, out: "", err: containing(`map has no entry for key "Foo"`),
    });
    expect(await run("container/ps", ["--format", "{{.Names}}"], { "containers.list": [] })).toMatchObject({ code: 0, out: "" });
  });

  test("logs --details shows what the log's options asked for, as in a URL", async () => {
    const record = { stream: "stdout", time: "T", data: Buffer.from("a\n"), attributes: { tier: "a b", A: "x=y" } };
    expect(await run("container/logs", ["--details", "-t", "web"], { "containers.logs": chunks(record) })).toMatchObject({ out: "T A=x%3Dy,tier=a+b a\n" });
  });

  test("cp knows which side is which", async () => {
    const answers = { "containers.copyFrom": { bytes: 1234 }, "containers.copyTo": { bytes: 5 } };
    expect(await run("container/cp", ["web:/etc/x", "./x"], answers)).toMatchObject({
      code: 0, err: "", calls: [["containers.copyFrom", "web", "/etc/x", { path: "./x" }, anything()], ["dispose"]],
    });
    expect((await run("container/cp", ["-a", "./a:b", "web:/x"], answers)).calls[0]).toEqual([
      "containers.copyTo", "web", { path: "./a:b" }, "/x", { archive: true, followLink: false, signal: undefined },
    ]);
    expect(await run("container/cp", ["a", "b"])).toMatchObject({ code: 1, err: "sampan: must specify at least one container source\n" });
    expect(await run("container/cp", ["a:/x", "b:/y"])).toMatchObject({ code: 1, err: "sampan: copying between containers is not supported\n" });
  });

  test("port", async () => {
    const answers = { "containers.inspect": { NetworkSettings: { Ports: {
      "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }, { HostIp: "::", HostPort: "8080" }], "443/tcp": null,
    } } } };
    expect(await run("container/port", ["web"], answers)).toMatchObject({ out: "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n" });
    expect(await run("container/port", ["web", "80"], answers)).toMatchObject({ out: "0.0.0.0:8080\n[::]:8080\n" });
    expect(await run("container/port", ["web", "443"], answers)).toMatchObject({ code: 1, err: "sampan: no public port '443' published for web\n" });
  });

  test("diff, top, history and search are tables", async () => {
    expect(await run("container/diff", ["web"], { "containers.diff": [{ kind: "A", path: "/x" }] })).toMatchObject({ out: "A /x\n" });
    expect(await run("container/top", ["web", "-o", "pid"], { "containers.top": { titles: ["PID", "CMD"], processes: [["1", "sh"]] } })).toMatchObject({
      out: `PID${" ".repeat(17)}CMD\n1${" ".repeat(19)}sh\n`, calls: [["containers.top", "web", ["-o", "pid"], anything()], ["dispose"]],
    });
    const history = [{ id: "<missing>", createdAtMs: 1_700_000_000_000 - 7_200_000, createdBy: "RUN x", sizeBytes: 5, comment: "" }];
    expect(
      (await run("image/history", ["x"], { "images.history": history })).out,
    ).toBe("IMAGE       CREATED       CREATED BY   SIZE      COMMENT\n<missing>   2 hours ago   RUN x        5B        \n");
    expect(
      (await run("image/search", ["x"], { "registries.search": [{ name: "x", description: "d", stars: 5, official: true }] })).out,
    ).toBe("NAME      DESCRIPTION   STARS     OFFICIAL\nx         d             5         [OK]\n");
  });

  test("images: a line per tag, <none> for none", async () => {
    const image = {
      id: `sha256:${"a".repeat(64)}`, tags: ["app:1", "localhost:5000/app:2"], digests: [`app@sha256:${"d".repeat(64)}`],
      createdAtMs: 1_700_000_000_000 - 60_000, sizeBytes: 7_340_000, sharedBytes: -1, containers: -1, labels: {},
    };
    const answers = { "images.list": [image, { ...image, tags: [], digests: [] }] };
    expect((await run("image/images", [], answers)).out.split("\n").map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ["REPOSITORY", "TAG"], ["app", "1"], ["localhost:5000/app", "2"], ["<none>", "<none>"], [""],
    ]);
    expect((await run(
      "image/images", ["--digests", "--format", "{{.Tag}} {{.Digest}}"], answers,
    )).out).toBe(`1 sha256:${"d".repeat(64)}\n2 <none>\n<none> <none>\n`);
    expect((await run("image/images", ["app"], answers)).calls[0]?.[1]).toMatchObject({ filters: { reference: ["app"] } });
  });

  test("inspect prints what it finds and tells what it does not", async () => {
    const notFound = new SampanError("not-found", "x");
    const answers = {
      "containers.inspect": (name: string) => (name === "web" ? { Id: "1" } : notFound), "images.inspect": notFound, "networks.inspect": notFound,
      "volumes.inspect": (name: string) => (name === "data" ? { Name: "data" } : notFound),
    };
    expect(await run("system/inspect", ["-f", "{{json .}}", "web", "data", "gone"], answers)).toMatchObject({
      code: 1, out: '{"Id":"1"}\n{"Name":"data"}\n', err: "sampan: No such object: gone\n",
    });
    expect(await run("system/inspect", ["--type", "bogus", "x"])).toMatchObject({ code: 1, err: containing('"bogus" is not a valid value for --type') });
    expect((await run("system/inspect", ["-f", "{{.Foo}}", "web"], answers)).code).toBe(1);
    expect((await run("system/inspect", ["-f", "{{", "web"], answers)).code).toBe(64);
  });

  test("events", async () => {
    const event = {
      Type: "container", Action: "start", Actor: { ID: "abc", Attributes: { name: "web", image: "x" } }, scope: "local", time: 1,
      timeNano: 1_700_000_000_000_000_007n,
    };
    expect((await run("system/events", [], { "system.events": chunks(event) })).out).toMatch(/^\S+\.000000007\S+ container start abc \(image=x, name=web\)\n$/);
    expect((await run("system/events", ["--format", "{{.Status}} {{.Actor.Attributes.name}}"], { "system.events": chunks(event) })).out).toBe("start web\n");
    expect((await run("system/events", ["--format", "json"], { "system.events": chunks(event) })).out).toContain('"timeNano":1700000000000000007');
  });

  test("stats and df", async () => {
    const stats = {
      id: "a".repeat(64), name: "web", asked: "web", cpuPercent: 12.345, memoryBytes: 2 ** 20, memoryLimitBytes: 2 ** 21, networkReceivedBytes: 1000,
      networkSentBytes: 0, blockReadBytes: 0, blockWrittenBytes: 5e6, pids: 3,
    };
    expect((await run("container/stats", [
      "--no-stream", "--format", "{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}",
    ], { "containers.stats": chunks([stats]) })).out).toBe("12.35%|1MiB / 2MiB|50.00%|1kB / 0B|0B / 5MB|3\n");
    const volume = { Name: "v", Driver: "local", Scope: "local", CreatedAt: "", Labels: null, Options: null, Mountpoint: "/v", UsageCount: 0, UsageBytes: 100 };
    const usage = { images: [], layersBytes: 0, containers: [], volumes: [volume, { ...volume, UsageCount: 1, UsageBytes: 300 }] };
    expect((await run("system/df", [], { "system.diskUsage": usage })).out).toBe(
      "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\nImages          0         0         0B        0B\nContainers      0         0         0B        0B\nLocal Volumes   2         1         400B      100B (25%)\n",
    );
    expect((await run("system/df", ["-v"], { "system.diskUsage": usage })).out).toContain("VOLUME NAME   LINKS     SIZE\nv             0         100B\n");
  });
});

describe("asking first", () => {
  test("prune does nothing without a yes", async () => {
    expect(await run("container/prune", [], {}, { input: "n\n" })).toMatchObject({ code: 1, calls: [] });
    expect(await run("container/prune", [], {}, { input: "" })).toMatchObject({ code: 1, calls: [] });
    const answers = { "containers.prune": { deleted: ["abc"], reclaimedBytes: 1000 } };
    expect(await run("container/prune", [], answers, { input: "y\n" })).toMatchObject({
      code: 0, out: containing("Deleted Containers:\nabc\n\nTotal reclaimed space: 1kB\n"),
    });
    expect(await run("container/prune", ["-f", "--filter", "until=1h"], answers)).toMatchObject({
      out: "Deleted Containers:\nabc\n\nTotal reclaimed space: 1kB\n",
      calls: [["containers.prune", { filters: { until: ["1h"] }, signal: undefined }], ["dispose"]],
    });
  });

  test("system prune goes from the users to the used", async () => {
    const empty = { deleted: [], reclaimedBytes: 1 };
    const answers = {
      "containers.prune": empty, "networks.prune": empty, "volumes.prune": empty, "images.prune": { removed: [{ deleted: "sha256:1" }], reclaimedBytes: 7 },
      "system.collect": { reclaimedBytes: 0 },
    };
    const { calls, out } = await run("system/prune", ["-f", "--volumes"], answers);
    expect(calls.map(([method]) => method)).toEqual(["containers.prune", "networks.prune", "volumes.prune", "images.prune", "system.collect", "dispose"]);
    expect(out).toBe("Deleted Images:\ndeleted: sha256:1\n\nTotal reclaimed space: 10B\n");
  });

  test("login never puts a password on the screen", async () => {
    const answers = { "registries.login": "Login Succeeded" };
    const { calls, out, err } = await run("image/login", ["-u", "me", "--password-stdin", "reg"], answers, { input: "s3cret\n" });
    expect(calls[0]?.[1]).toEqual({ server: "reg", username: "me", password: "s3cret" });
    expect(out + err).not.toContain("s3cret");
    expect(await run("image/login", ["--password-stdin"])).toMatchObject({ code: 1, err: containing("requires --username") });
    expect(await run("image/login", [])).toMatchObject({ code: 1, err: containing("non-TTY") });
  });
});

describe("networks and volumes", () => {
  test("network create pairs gateways and ranges with their subnets", async () => {
    const answers = { "networks.create": { id: "n1", warnings: [] } };
    const { calls, out } = await run("network/create", [
      "--subnet", "10.1.0.0/16", "--subnet", "fd00::/64", "--gateway", "fd00::1", "--gateway", "10.1.0.1", "--ip-range", "10.1.5.0/24", "--aux-address",
      "router=10.1.0.9", "-o", "mtu=1400", "--internal", "back",
    ], answers);
    expect(out).toBe("n1\n");
    expect(calls[0]?.[1]).toMatchObject({ name: "back", driver: "bridge", internal: true, options: { mtu: "1400" }, subnets: [
      { subnet: "10.1.0.0/16", gateway: "10.1.0.1", ipRange: "10.1.5.0/24", auxAddresses: { router: "10.1.0.9" } },
      { subnet: "fd00::/64", gateway: "fd00::1" },
    ] });
    expect(await run("network/create", ["--subnet", "10.1.0.0/16", "--gateway", "10.2.0.1", "x"])).toMatchObject({
      code: 1, err: containing("no matching subnet for gateway 10.2.0.1"),
    });
    expect(await run("network/create", ["--gateway", "10.2.0.1", "x"])).toMatchObject({
      code: 1, err: containing("every ip-range or gateway must have a corresponding subnet"),
    });
    expect(await run("network/create", ["--subnet", "10.1.0.0/16", "--aux-address", "a=10.2.0.9", "x"])).toMatchObject({
      code: 1, err: containing("no matching subnet for aux-address 10.2.0.9"),
    });
    expect(await run("network/create", ["--subnet", "10.1.0.0/40", "x"])).toMatchObject({ code: 1, err: containing("invalid CIDR address: 10.1.0.0/40") });
  });
  test("connect names the network first, as Docker does", async () => {
    expect((await run("network/connect", ["--ip", "10.1.0.5", "--alias", "a,b", "back", "web"])).calls[0]).toEqual([
      "networks.connect", "web", { network: "back", aliases: ["a", "b"], ipv4: "10.1.0.5" }, { signal: undefined },
    ]);
  });
  test("volume names are narrow", async () => {
    expect(await run("volume/create", ["../x"])).toMatchObject({ code: 1, err: containing("includes invalid characters for a local volume name") });
    expect(await run("volume/create", ["--label", "a=b", "data"], { "volumes.create": { Name: "data" } })).toMatchObject({ out: "data\n" });
  });
});
