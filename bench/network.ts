// What a network costs: a start with one beside a start with none, and bytes per second beside Docker's bridge.
import { join } from "node:path";
import { createHostNetns, EXECUTABLE, type HostNetns } from "../test/support/host-netns.ts";
import { run, runOk } from "../test/support/command.ts";
import { startDockerd } from "../test/support/peers/docker.ts";
import { busyboxRootfs } from "../test/support/rootfs.ts";
import type { Bench, BenchContext, MeasureCase } from "./support/index.ts";

const IPERF = "/usr/bin/iperf3";
const RATE = { unit: "Gbit/s", better: "higher" } as const;

/** Gbit per second as the receiver saw them. */
function gigabits(stdout: string): number {
  const report = JSON.parse(stdout) as { end?: { sum_received?: { bits_per_second: number } }; error?: string }; // iperf3(1) -J
  const bits = report.end?.sum_received?.bits_per_second;
  if (bits === undefined) throw new Error(`Cannot measure throughput: ${report.error ?? "iperf3 said nothing"}`);
  return bits / 1e9;
}

/** Arguments: the executable, then flags. Times `run -d` with --network none and with the flags in turns; prints the median difference in ms. */
const PAIRS = `
import statistics, subprocess, sys, time
sampan, flags = sys.argv[1], sys.argv[2:]
def start(given):
    begun = time.perf_counter()
    made = subprocess.run([sampan, "run", "-d", *given, "host", "sleep", "60"], check=True, capture_output=True, text=True).stdout.strip()
    taken = (time.perf_counter() - begun) * 1e3
    subprocess.run([sampan, "rm", "-f", made], check=True, capture_output=True)
    time.sleep(0.03)
    return taken
print(statistics.median(-start(["--network", "none"]) + start(flags) for _ in range(9)))
`;

/** Milliseconds of `run -d` with these flags, less those of one with --network none. */
function startCost(world: HostNetns, id: string, label: string, flags: string[]): MeasureCase {
  const command = [...world.enter, "/usr/bin/python3", "-c", PAIRS, EXECUTABLE, ...flags];
  return { id, label, group: "Milliseconds more than a start with --network none", measure: async () => Number(await runOk(command, { env: world.sandbox.env })) };
}

async function throughput(context: BenchContext, world: HostNetns): Promise<MeasureCase[]> {
  if (!context.has("iperf3")) return [];
  const gateway = "172.17.0.1";
  await world.sandbox.ok(["run", "-d", "--name", "server", "-p", "5201:5201", "host", IPERF, "-s"]);
  await world.host.serve("sh", "-c", `echo up; exec ${IPERF} -s -p 5202 >/dev/null`);
  await world.sandbox.ok(["run", "-d", "--name", "client", "host", "sleep", "3600"]);
  const client = (port: number): string[] => [IPERF, "-J", "-t", "2", "-c", gateway, "-p", String(port)];
  const toHost = "Gbit/s from a container to its host";
  const published = "Gbit/s from the host to a published port";
  const cases: MeasureCase[] = [
    { id: "sampan-to-host", label: "sampan", group: toHost, ...RATE, measure: async () => gigabits(await world.sandbox.ok(["exec", "client", ...client(5202)])) },
    { id: "sampan-published", label: "sampan", group: published, ...RATE, measure: async () => gigabits((await run(["nsenter", `--net=/run/netns/${world.host.name}`, ...client(5201)])).stdout) },
  ];
  if (!context.has("docker")) return cases;
  const docker = await startDockerd(join(context.dir, "docker"), { network: "own" });
  context.defer(() => docker[Symbol.asyncDispose]());
  context.fact("dockerd", (await docker.docker(["version", "-f", "{{.Server.Version}}"])).stdout.trim());
  await docker.importRootfs(await busyboxRootfs(join(context.dir, "rootfs")), "bench:1");
  const system = ["/usr", "/lib", "/lib64"].flatMap((path) => ["-v", `${path}:${path}:ro`]);
  await docker.docker(["run", "-d", "--name", "server", "-p", "5201:5201", ...system, "bench:1", IPERF, "-s"]);
  await docker.docker(["run", "-d", "--name", "client", ...system, "bench:1", "/bin/busybox", "sleep", "3600"]);
  // A daemon of iperf3's own keeps nothing open that somebody waits for.
  await docker.inNetwork(["sh", "-c", `${IPERF} -s -p 5202 >/dev/null 2>&1 </dev/null &`]);
  context.defer(async () => { await docker.inNetwork(["sh", "-c", "for p in /proc/[0-9]*; do [ \"$(readlink $p/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ] && [ \"$(cat $p/comm)\" = iperf3 ] && kill ${p#/proc/}; done; true"]); });
  return [
    ...cases,
    { id: "docker-to-host", label: "docker", group: toHost, ...RATE, measure: async () => gigabits((await docker.docker(["exec", "client", ...client(5202)])).stdout) },
    { id: "docker-published", label: "docker", group: published, ...RATE, measure: async () => gigabits((await docker.inNetwork(client(5201))).stdout) },
  ];
}

export const bench: Bench = {
  name: "network",
  title: "Networks",
  text: "The cost of a bridge network and of a published port at a container's start, and TCP throughput beside Docker's bridge. Each figure of a start is the median difference of nine pairs of calls, one right after the other.",
  unit: "ms",
  better: "lower",
  rounds: 9,
  warmup: 1,
  summary: [
    { label: "from a container to its host", unit: "Gbit/s", sampan: "sampan-to-host", peers: { docker: "docker-to-host" } },
    { label: "from the host to a published port", unit: "Gbit/s", sampan: "sampan-published", peers: { docker: "docker-published" } },
  ],
  async setup(context) {
    const world = await createHostNetns();
    context.defer(() => world[Symbol.asyncDispose]());
    return [
      startCost(world, "sampan-bridge", "the default bridge", []),
      { id: "limit-bridge", label: "the bar for a bridge", group: "Milliseconds more than a start with --network none", measure: () => 4 },
      startCost(world, "sampan-port", "the default bridge and -p", ["-p", "8080:80"]),
      { id: "limit-port", label: "the bar for both", group: "Milliseconds more than a start with --network none", measure: () => 12 },
      ...(await throughput(context, world)),
    ];
  },
  bars: [
    { of: "sampan-bridge", against: "limit-bridge", atMost: 1, because: "a bridge costs at most 4 ms" },
    { of: "sampan-port", against: "limit-port", atMost: 1, because: "a port costs at most 8 ms more" },
    { of: "sampan-to-host", against: "docker-to-host", atLeast: 0.95 },
    { of: "sampan-published", against: "docker-published", atLeast: 0.95 },
  ],
};
