import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import type { EncodedPlan, Plan } from "../../plan/index.ts";
import { encodedPlan } from "../../plan/index.ts";
import type { Template, Variable } from "../../plan/template.ts";
import { fillTemplate, templateOf } from "../../plan/template.ts";
import type { Launch, NetlinkBatch } from "../../runtime/index.ts";
import type { ContainerId, EngineContext } from "../context.ts";

/*
 * Compiling and encoding a plan takes three milliseconds in a program that has just started, for nothing is compiled yet in
 * it, and a tenth of that when it has run some times. The same command gives the same plan but for the container's id and the
 * netlink messages of its addresses, so what was encoded is kept, beside all that it was made from. `compile` is pure and
 * takes names as they are (template.test.ts holds it), so a plan that is filled in is the one that would be compiled.
 */

/** Files of at most some 100 KB each; another plan with the same number takes a file's place. */
const SLOTS = 64;
const MAGIC = 0x314c5053;
const HEAD = 24;
/** Marks the id and the host name made from it in a key: JSON has no such bytes. */
const ID = "\u0001";
const SHORT_ID = "\u0002";

/** The launch as text and as what differs: equal texts give equal plans but for the variables. Undefined for one that is not worth keeping. */
export function describeLaunch(launch: Launch, id: string): { readonly key: string; readonly variables: Variable[] } | undefined {
  // Whatever is no plain data is taken out of the launch and told in its own way; the name is in messages only.
  const { name: _, network, seccomp, cgroup, monitor, fileMounts, subpaths, idMappings, ...plain } = launch;
  if (idMappings !== undefined || launch.trace) return undefined;
  const batches = [network?.outer, network?.inner].filter((batch) => batch !== undefined);
  const text = JSON.stringify([
    plain,
    network === undefined ? 0 : [shape(network.outer), shape(network.inner), network.sysctls, network.held?.map(({ address, ...socket }) => [socket, latin(address)])],
    seccomp === undefined ? 0 : [seccomp.flags, latin(seccomp.program)],
    cgroup === undefined ? 0 : { ...cgroup, deviceProgram: latin(cgroup.deviceProgram) },
    monitor === undefined ? 0 : { ...monitor, detachKeys: latin(monitor.detachKeys) },
    fileMounts === undefined ? 0 : [...fileMounts],
    subpaths === undefined ? 0 : [...subpaths],
  ]);
  const shortId = id.slice(0, 12);
  return {
    key: text.replaceAll(id, ID).replaceAll(shortId, SHORT_ID),
    // In this order: the short id is the start of the id, and messages may hold either.
    variables: [
      { bytes: Buffer.from(shortId, "latin1"), repeats: true },
      { bytes: Buffer.from(id, "latin1"), repeats: true },
      ...batches.map(({ bytes }) => ({ bytes, repeats: false })),
    ],
  };
}

function shape(batch: NetlinkBatch | undefined): unknown {
  return batch === undefined ? 0 : [batch.bytes.length, batch.patches, batch.messages.length];
}

function latin(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** The plan of a launch, encoded: one that was kept, or else compiled, and kept for the next. */
export async function keptPlan(context: EngineContext, id: ContainerId, launch: Launch, compiled: () => Promise<Plan>): Promise<EncodedPlan> {
  const described = describeLaunch(launch, id);
  const build = globalThis.sampanEmbedded?.build;
  if (described === undefined) return encodedPlan(await compiled());
  const { key, variables } = described;
  if (build === undefined) {
    // As a library: the program stays, and its memory serves.
    const kept = context.plans.get(key);
    if (kept !== undefined) return fillTemplate({ ...kept, bytes: Buffer.from(kept.bytes) }, variables);
    const plan = encodedPlan(await compiled());
    const template = templateOf(plan, variables);
    if (context.plans.size >= SLOTS) context.plans.clear();
    if (template !== undefined) context.plans.set(key, { ...template, bytes: Buffer.from(template.bytes) });
    return plan;
  }
  // Of this boot: no file is flushed to the disk, and after a power cut some may be damaged.
  const whole = Buffer.from(`${build} ${context.bootId} ${key}`);
  const directory = `${context.paths.cache}/plans`;
  const file = `${directory}/${slotOf(whole)}`;
  const kept = readTemplate(file, whole);
  if (kept !== undefined) return fillTemplate(kept, variables);
  const plan = encodedPlan(await compiled());
  const template = templateOf(plan, variables);
  if (template !== undefined) writeTemplate(directory, file, whole, template);
  return plan;
}

function slotOf(key: Buffer): number {
  const { Bun } = globalThis as { Bun?: { hash(bytes: Uint8Array): bigint } };
  return Number((Bun?.hash(key) ?? BigInt(key.length)) % BigInt(SLOTS));
}

/** Words of 32 bits: magic, size of the whole, of the key, of the plan, instructions, variables, and of each its places after their number; then the key and the plan. */
function readTemplate(file: string, key: Buffer): Template | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined; // none yet, or none that can be read: it is compiled
  }
  if (bytes.length < HEAD || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== bytes.length || bytes.readUInt32LE(8) !== key.length) return undefined;
  const planAt = bytes.length - bytes.readUInt32LE(12);
  if (bytes.compare(key, 0, key.length, planAt - key.length, planAt) !== 0) return undefined;
  const places: number[][] = [];
  let at = HEAD;
  for (let n = bytes.readUInt32LE(20); n > 0; n--) {
    const found: number[] = [];
    let left = bytes.readUInt32LE(at);
    for (at += 4; left > 0; left--, at += 4) found.push(bytes.readUInt32LE(at));
    places.push(found);
  }
  return { bytes: bytes.subarray(planAt), count: bytes.readUInt32LE(16), places };
}

function writeTemplate(directory: string, file: string, key: Buffer, { bytes, count, places }: Template): void {
  const found = places.flatMap((of) => [of.length, ...of]);
  const words = [MAGIC, HEAD + found.length * 4 + key.length + bytes.length, key.length, bytes.length, count, places.length, ...found];
  const part = `${file}.${process.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(part, Buffer.concat([Buffer.from(Uint32Array.from(words).buffer), key, bytes]), { mode: 0o600 });
    renameSync(part, file);
  } catch (error) {
    // A full disk keeps no plan, and stops no container.
    if (errnoOf(error) === undefined) throw error;
    rmSync(part, { force: true });
  }
}
