import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseManifest } from "../src/oci/index.ts";
import { appendLayer, createImage, emptyConfig, openLayout } from "../src/images/index.ts";
import { digestOf } from "../src/oci/digest.ts";
import { hostPlatform, MEDIA_TYPE, descriptorOf } from "../src/oci/index.ts";
import { openContentStore } from "../src/storage/content/index.ts";
import { runOk, testEnv } from "../test/support/command.ts";
import { startDockerd } from "../test/support/peers/docker.ts";
import { createPodman } from "../test/support/peers/podman.ts";
import { dockerRegistry } from "../test/support/peers/registry.ts";
import { SAMPAN } from "../test/support/sandbox.ts";
import { defineBench, type BenchCase, type BenchContext } from "./support/index.ts";

const LAYERS = 8;
const LARGE_LAYER_BYTES = 125_000_000;
const SMALL_FILES = 20_000;
const MEMORY_MB = 250;

export const bench = defineBench({
  name: "pull",
  title: "Pulling an image from a registry on this machine, cold",
  text: `Eight gzip layers, downloaded and unpacked into an empty store, by tools that end with the files on disk. "large" is
this machine's own libraries, about 300 MB compressed; "small" is ${SMALL_FILES.toLocaleString("en")} files of about 2 kB. The floor is \`curl | gzip -d | tar x\` of all layers at
once: it checks nothing. Peak memory is of \`sampan\` and its helpers together.`,
  unit: "ms",
  better: "lower",
  rounds: 3,
  warmup: 1,
  summary: [
    { label: "pull 300 MB of large files", unit: "ms", sampan: "sampan-large", peers: { floor: "floor-large", podman: "podman-large", docker: "docker-large" } },
    { label: "pull 20,000 small files", unit: "ms", sampan: "sampan-small", peers: { floor: "floor-small", podman: "podman-small", docker: "docker-small" } },
  ],
  bars: [
    ...["docker", "podman", "skopeo"].flatMap((peer) => ["large", "small"].map((kind) => ({ of: `sampan-${kind}`, against: `${peer}-${kind}`, atMost: 1 / 2.5, because: "the goal: 2.5 times as fast as the fastest" }))),
    ...["large", "small"].map((kind) => ({ of: `memory-${kind}`, against: "limit-memory", atMost: 1, because: `a pull takes at most ${MEMORY_MB} MB` })),
  ],
  async setup(context) {
    const registry = await dockerRegistry(join(context.dir, "registry"));
    context.defer(() => registry[Symbol.asyncDispose]());
    const peers = freshPeers(context);
    const cases: BenchCase[] = [];
    for (const kind of ["large", "small"] as const) {
      const layout = await makeLayout(context, kind);
      const reference = `${registry.host}/bench/${kind}:1`;
      await runOk(["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", `oci:${layout}:1`, `docker://${reference}`], { timeoutMs: 300_000 });
      const layers = await describeLayers(context, kind, layout);
      const state = join(context.dir, "sampan-state");
      const sampan = (call: number): string[] => ["env", `SAMPAN_ROOT=${join(context.dir, `sampan-${kind}-${call}`)}`, `SAMPAN_STATE=${state}`, SAMPAN, "pull", "-q", reference];
      // Otherwise one case's writing back would slow the next one down.
      const sync = async (): Promise<void> => { await runOk(["sync"], { timeoutMs: 120_000 }); };
      const into = (call: number, what: string): string => join(context.dir, `${what}-${kind}-${call}`);
      const curl = (call: number): string =>
        layers.map((digest, index) => `mkdir -p ${into(call, "floor")}/${index} && curl -sS ${registry.url}/v2/bench/${kind}/blobs/${digest} | gzip -dc | tar -C ${into(call, "floor")}/${index} -x & `).join("");
      const peerCases: BenchCase[] = [
        { id: `docker-${kind}`, label: "docker pull", group: kind, before: async (call) => { await peers.startDocker(`${kind}-${call}`); await sync(); }, after: () => peers.stop(), command: () => ["env", ...peers.env(), "/usr/bin/docker", "pull", "-q", reference] },
        { id: `podman-${kind}`, label: "podman pull", group: kind, privateMounts: true, before: async (call) => { peers.startPodman(`${kind}-${call}`); await sync(); }, after: () => peers.stop(), command: () => ["env", ...peers.env(), "podman", "pull", "-q", "--tls-verify=false", reference] },
        {
          id: `skopeo-${kind}`, label: "skopeo copy, umoci unpack", group: kind, before: sync,
          command: (call) => ["sh", "-c", `mkdir -p ${into(call, "umoci")} && skopeo --insecure-policy copy -q --src-tls-verify=false docker://${reference} oci:${into(call, "umoci")}/oci:1 && umoci unpack --image ${into(call, "umoci")}/oci:1 ${into(call, "umoci")}/bundle`],
        },
      ];
      cases.push(
        { id: `sampan-${kind}`, label: "sampan pull", group: kind, before: sync, command: sampan },
        ...(["docker", "podman", "skopeo"] as const).flatMap((peer, n) => (context.has(peer) ? [peerCases[n]].filter((entry) => entry !== undefined) : [])),
        { id: `floor-${kind}`, label: "curl | gzip -d | tar x", group: kind, before: sync, command: (call) => ["sh", "-c", `${curl(call)} wait`] },
        { id: `memory-${kind}`, label: `sampan pull, ${kind}`, group: "Peak memory", unit: "MB", measure: async (call) => { await sync(); return peakMemory(sampan(call + 1000)); } },
      );
    }
    cases.push({ id: "limit-memory", label: "the bar", group: "Peak memory", unit: "MB", measure: () => MEMORY_MB });
    return cases;
  },
});

/**
 * A docker or podman of its own for every call, with an empty store: nothing is deleted while anything is measured, because ext4 looks
 * for inodes that were not deleted a moment ago, and makes whoever comes next pay for it.
 */
function freshPeers(context: BenchContext): { startDocker(name: string): Promise<void>; startPodman(name: string): void; env(): string[]; stop(): Promise<void> } {
  let current: (AsyncDisposable & { readonly env: Readonly<Record<string, string>> }) | undefined;
  const stop = async (): Promise<void> => {
    const stopped = current;
    current = undefined;
    await stopped?.[Symbol.asyncDispose]();
  };
  context.defer(stop);
  return {
    stop,
    startDocker: async (name) => { current = await startDockerd(join(context.dir, `dk-${name}`), { network: "host" }); },
    startPodman: (name) => { current = createPodman(join(context.dir, `pm-${name}`)); },
    env: () => Object.entries(current?.env ?? {}).map(([key, value]) => `${key}=${value}`),
  };
}

/** Files of /usr in eight layers, or many small ones. */
async function makeLayout(context: BenchContext, kind: "large" | "small"): Promise<string> {
  const layout = join(context.dir, `layout-${kind}`);
  const store = await openContentStore(layout);
  let config = emptyConfig(hostPlatform());
  const layers = [];
  const work = join(context.dir, `work-${kind}`);
  mkdirSync(work);
  if (kind === "large") await splitFiles(work);
  else makeSmallFiles(work);
  const pack = (index: number): Promise<string> =>
    runOk(["sh", "-c", `tar -c ${kind === "large" ? `-C / --no-recursion -T ${work}/${index}.list` : `-C ${work}/${index} .`} > ${work}/${index}.tar && gzip -6 -k ${work}/${index}.tar`], { timeoutMs: 300_000 });
  for (let index = 0; index < LAYERS; index += 2) await Promise.all([pack(index), pack(index + 1)]);
  for (let index = 0; index < LAYERS; index++) {
    layers.push(await store.put(readFileSync(`${work}/${index}.tar.gz`), MEDIA_TYPE.ociLayerGzip));
    config = appendLayer(config, digestOf(readFileSync(`${work}/${index}.tar`)), { created_by: `layer ${index}` });
  }
  const { manifest } = await createImage(store, config, layers);
  await store.setReference("1", descriptorOf(manifest));
  return layout;
}

async function splitFiles(work: string): Promise<void> {
  const listed = await runOk(["find", "/usr/lib", "/usr/bin", "/usr/share", "-xdev", "-type", "f", "-size", "-20000k", "-printf", "%s %P\\t%p\\n"], { timeoutMs: 60_000 });
  const files = listed.trim().split("\n").map((line) => ({ size: Number(line.split(" ", 1)[0]), path: line.slice(line.indexOf("\t") + 2) }));
  let [index, bytes] = [0, 0];
  let names: string[] = [];
  for (const { size, path } of files) {
    if (index === LAYERS) break;
    names.push(path);
    bytes += size;
    if (bytes < LARGE_LAYER_BYTES) continue;
    writeFileSync(`${work}/${index++}.list`, names.join("\n"));
    [names, bytes] = [[], 0];
  }
  if (index < LAYERS) throw new Error("Cannot make the large image: /usr has less than 1 GB of files.");
}

function makeSmallFiles(work: string): void {
  for (let index = 0; index < LAYERS; index++) {
    for (let file = 0; file < SMALL_FILES / LAYERS; file++) {
      const directory = `${work}/${index}/l${index}/d${Math.floor(file / 50)}`;
      if (file % 50 === 0) mkdirSync(directory, { recursive: true });
      // Half random, so that it compresses as text does.
      writeFileSync(`${directory}/f${file}`, randomBytes(50 + ((file * 7919) % 1950)).toString("hex"));
    }
  }
}

async function describeLayers(context: BenchContext, kind: string, layout: string): Promise<string[]> {
  const { manifests, blobs } = await openLayout(layout);
  const [entry] = manifests;
  if (entry === undefined) throw new Error("The layout has no image.");
  const manifest = parseManifest(await blobs.get(entry.digest));
  if (manifest.kind !== "manifest") throw new Error("The layout has an index.");
  context.fact(`${kind} image`, `${Math.round(manifest.layers.reduce((sum, { size }) => sum + size, 0) / 1e6)} MB in ${manifest.layers.length} layers`);
  return manifest.layers.map(({ digest }) => digest);
}

/** Peak resident memory in MB, of a command and its children. */
async function peakMemory(command: string[]): Promise<number> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env: testEnv(), stdio: "ignore" });
  const peaks = new Map<number, number>();
  const look = (pid: number, parent?: string): void => {
    const program = linkIfThere(`/proc/${pid}/exe`);
    // Until execve(2) a new process shows its parent's memory as its own; it may be gone before the next look.
    if (program === parent) return;
    // It grows as long as a program runs.
    const kilobytes = Number(/^VmHWM:\s+(\d+)/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? 0);
    if (kilobytes > 0) peaks.set(pid, kilobytes);
    for (const task of existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : [])
      for (const below of readIfThere(`/proc/${pid}/task/${task}/children`).split(" ").filter((text) => text !== "")) look(Number(below), program);
  };
  const timer = setInterval(() => { if (child.pid !== undefined) look(child.pid); }, 20);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`"${command.join(" ")}" ended with ${code}.`);
  return [...peaks.values()].reduce((sum, value) => sum + value, 0) / 1024;
}

const readIfThere = (path: string): string => ifThere(() => readFileSync(path, "utf8"));
const linkIfThere = (path: string): string => ifThere(() => readlinkSync(path));

/** "" where what is asked about has just ended. */
function ifThere(ask: () => string): string {
  try {
    return ask();
  } catch {
    return "";
  }
}
