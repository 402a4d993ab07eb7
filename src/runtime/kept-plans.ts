import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { quickHash } from "../base/hashes.ts";
import type { EncodedPlan, Plan } from "../plan/index.ts";
import { encodedPlan } from "../plan/index.ts";
import type { Template, Variable } from "../plan/template.ts";
import { fillTemplate, templateOf } from "../plan/template.ts";
import type { ExecLaunch } from "./exec.ts";
import type { Launch, MonitorPlan, NetlinkBatch } from "./launch.ts";
import type { OciExecLaunch } from "./oci-exec.ts";
import type { OciLaunch } from "./oci-launch.ts";

/*
 * Compiling and encoding a plan takes three milliseconds in a program that has just started, for nothing is compiled yet in
 * it, and a tenth of that when it has run some times. The same command gives the same plan but for the container's id and the
 * netlink messages of its addresses, so what was encoded is kept, beside all that it was made from. Compiling is pure and
 * takes names as they are (kept-plans.test.ts holds it), so a plan that is filled in is the one that would be compiled.
 * docs/decisions/start-up.md has the figures.
 */

/** What a plan is made from. */
export interface Described {
  /** Equal keys give equal plans but for the variables. */
  readonly key: string;
  readonly variables: readonly Variable[];
}

/** Where plans are kept: the memory of a program that stays, or a directory for programs that do not. */
export type PlanStore = Map<string, Template> | {
  readonly directory: string;
  /** The build of the program, and the boot: no file is flushed to the disk, and after a power cut some may be damaged. */
  readonly identity: string;
};

/** Plans in a store; in a directory files of at most some 100 KB each, where another plan with the same number takes a file's place. */
const SLOTS = 64;
const MAGIC = 0x314c5053;
const HEAD = 28;

/** What JSON tells whole. */
type Plain<T> = T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView | bigint | ((...args: never) => unknown) ? never
  : T extends object ? { readonly [K in keyof T]: Plain<T[K]> } : T;
const plainText = <T>(value: T & Plain<T>): string => JSON.stringify(value);

/** Of a specification's values; undefined where a number has more bits than a double, which JSON refuses. */
function specText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return undefined;
  }
}

/** What a key is made from: text, in which names are looked for, and bytes, in which they are not. */
interface Content {
  readonly text: string;
  readonly binary: readonly (Uint8Array | undefined)[];
}

/** Of what is no plain data in a launch each part in its own way; the name is in messages only. Undefined for a launch that is not worth keeping. */
function contentOf(launch: Launch, more: string): Content | undefined {
  const { name: _, network, seccomp, cgroup, monitor, fileMounts, subpaths, idMappings, lateBinds, landings, copyUps, config, ...plain } = launch;
  if ((idMappings ?? lateBinds ?? landings ?? copyUps) !== undefined || launch.trace) return undefined;
  // The filter stands for its profile.
  const spec = specText(config.linux?.seccomp === undefined ? config : { ...config, linux: { ...config.linux, seccomp: undefined } });
  if (spec === undefined) return undefined;
  const { deviceProgram, ...groups } = cgroup ?? { deviceProgram: undefined };
  return {
    text: [
      plainText(plain), spec,
      network === undefined ? "" : plainText({
        outer: shape(network.outer),
        inner: shape(network.inner),
        sysctls: network.sysctls,
        held: network.held?.map(({ address: __, ...socket }) => socket),
      }),
      plainText(groups), monitorText(monitor),
      plainText({ files: fileMounts && [...fileMounts], subpaths: subpaths && [...subpaths].flat(), filter: seccomp?.flags }),
      more,
    ].join("\n"),
    binary: [deviceProgram, seccomp?.program, monitor?.detachKeys, ...(network?.held ?? []).map(({ address }) => address)],
  };
}

function shape(batch: NetlinkBatch | undefined): { size: number; patches: NetlinkBatch["patches"]; messages: number } | undefined {
  return batch && { size: batch.bytes.length, patches: batch.patches, messages: batch.messages.length };
}

function monitorText(monitor: MonitorPlan | undefined): string {
  if (monitor === undefined) return "";
  const { detachKeys: _, ...plain } = monitor;
  return plainText(plain);
}

/**
 * The key: every name with its place among the names and its length for itself. JSON has no such byte as the mark. Where it escapes a
 * character by letters or digits that a name may begin with, what looks like a name is none in the plan: such a launch is not kept.
 */
function describe(content: Content | undefined, names: readonly string[], batches: readonly (NetlinkBatch | undefined)[] = []): Described | undefined {
  if (content === undefined || names.length > SLOTS) return undefined;
  const { text, binary } = content;
  if (/\\[bfu]/.test(text)) return undefined;
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  let key = text;
  for (let n = 0; n < longestFirst.length; n++) key = key.replaceAll(longestFirst[n] ?? "", `\u0001${n}:${longestFirst[n]?.length ?? 0}\u0001`);
  for (const bytes of binary)
    key += bytes === undefined ? "\n" : `\n${bytes.length}:${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")}`;
  return {
    key,
    // The other way round: a short one may be the start of a long one, and messages may hold either.
    variables: [
      ...longestFirst.reverse().map((name) => ({ bytes: Buffer.from(name, "latin1"), repeats: true })),
      ...batches.flatMap((batch) => (batch === undefined ? [] : [{ bytes: batch.bytes, repeats: false }])),
    ],
  };
}

/** Ids, as engines make them: of containers, layers, network namespaces. Digits alone may be a number. */
function idsIn(text: string, known: string): string[] {
  const found = (text.match(/[0-9a-f]{12,}/g) ?? []).filter((word) => /[a-f]/.test(word));
  return [...new Set([...found, ...(known.length >= 12 && !/^\d+$/.test(known) ? [known] : [])])];
}

/** A start of the engine's, whose container has this id. */
export function describeLaunch(launch: Launch, id: string): Described | undefined {
  return describe(contentOf(launch, ""), [id, id.slice(0, 12)], [launch.network?.outer, launch.network?.inner]);
}

/** A start for another engine, which has ids of its own in its config. */
export function describeOciLaunch(launch: OciLaunch): Described | undefined {
  const {
    end, plainNewlines, networkDevices, gate, hooksElsewhere, consoleSocket, pidfdSocket, keepBelow, hookOutput, hookEnvironment, state,
    keyring, ownStreams, idleStreams, label, seccompListener, ...rest
  } = launch;
  if (networkDevices !== undefined) return undefined;
  const ofLaunch: { [K in keyof typeof rest]: K extends keyof Launch ? unknown : never } = rest; // a new field is to be told below
  void ofLaunch;
  const content = contentOf(rest, plainText({
    end, plainNewlines, gate, hooksElsewhere, consoleSocket, pidfdSocket, keepBelow, hookOutput, hookEnvironment, state, keyring,
    ownStreams, idleStreams, label, seccompListener,
  }));
  return describe(content, idsIn(content?.text ?? "", launch.name));
}

/** One more process in a container; the ids are the container's and its own. */
export function describeExec(launch: ExecLaunch, ids: readonly string[]): Described | undefined {
  const { name: _, process, seccomp, monitor, ...plain } = launch;
  const spec = specText(process);
  if (launch.trace === true || spec === undefined) return undefined;
  return describe(
    { text: [plainText(plain), spec, monitorText(monitor), seccomp?.flags].join("\n"), binary: [seccomp?.program, monitor?.detachKeys] },
    ids.flatMap((id) => [id, id.slice(0, 12)]),
  );
}

/** The same for another engine. */
export function describeOciExec(launch: OciExecLaunch): Described | undefined {
  const { name: _, process, seccomp, monitor, namespaces, linux, ...plain } = launch;
  const spec = specText([process, { ...linux, seccomp: undefined }]);
  if (spec === undefined) return undefined;
  const text = [plainText({ ...plain, namespaces: [...namespaces] }), spec, monitorText(monitor), seccomp?.flags].join("\n");
  return describe({ text, binary: [seccomp?.program, monitor?.detachKeys] }, idsIn(text, launch.name));
}

/** An encoded plan: one that was kept, or else compiled, and kept for the next. */
export async function keptPlan(store: PlanStore, described: Described | undefined, compiled: () => Promise<Plan>): Promise<EncodedPlan> {
  if (described === undefined) return encodedPlan(await compiled());
  const { key, variables } = described;
  if (store instanceof Map) {
    const kept = store.get(key);
    if (kept !== undefined) return fillTemplate({ ...kept, bytes: Buffer.from(kept.bytes) }, variables);
    const plan = encodedPlan(await compiled());
    const template = templateOf(plan, variables);
    if (store.size >= SLOTS) store.clear();
    if (template !== undefined) store.set(key, { ...template, bytes: Buffer.from(template.bytes) });
    return plan;
  }
  const whole = Buffer.from(`${store.identity} ${key}`);
  const file = `${store.directory}/${quickHash(whole) % SLOTS}`;
  const kept = readTemplate(file, whole);
  if (kept !== undefined) return fillTemplate(kept, variables);
  const plan = encodedPlan(await compiled());
  const template = templateOf(plan, variables);
  if (template !== undefined) writeTemplate(store.directory, file, whole, template);
  return plan;
}

/**
 * Words of 32 bits: magic, size of the whole, of the key, of the plan, instructions, variables, a hash of all that follows, and of each variable its
 * places after their number; then the key and the plan.
 */
function readTemplate(file: string, key: Buffer): Template | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined; // none yet, or none that can be read: it is compiled
  }
  if (bytes.length < HEAD || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== bytes.length || bytes.readUInt32LE(8) !== key.length)
    return undefined;
  const planAt = bytes.length - bytes.readUInt32LE(12);
  if (bytes.compare(key, 0, key.length, planAt - key.length, planAt) !== 0) return undefined;
  if (bytes.readUInt32LE(24) !== quickHash(bytes.subarray(HEAD))) return undefined;
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

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

function writeTemplate(directory: string, file: string, key: Buffer, { bytes, count, places }: Template): void {
  const found = Buffer.from(Uint32Array.from(places.flatMap((of) => [of.length, ...of])).buffer);
  const body = Buffer.concat([found, key, bytes]);
  const head = Buffer.from(Uint32Array.from([MAGIC, HEAD + body.length, key.length, bytes.length, count, places.length, quickHash(body)]).buffer);
  const part = `${file}.${process.pid}`;
  try {
    // No further up: where a store is being removed it must not come back.
    for (const path of [directory.slice(0, directory.lastIndexOf("/")), directory]) makeDirectory(path);
    writeFileSync(part, Buffer.concat([head, body]), { mode: 0o600 });
    renameSync(part, file);
  } catch (error) {
    // A full disk keeps no plan, and stops no container.
    if (errnoOf(error) === undefined) throw error;
    rmSync(part, { force: true });
  }
}
