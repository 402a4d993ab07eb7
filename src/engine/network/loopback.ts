import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import * as nl from "../../linux/netlink.ts";
import { LOOPBACK_KEY_SIZE, LOOPBACK_VALUE_SIZE, loopbackElement, loopbackProgram } from "../../network/loopback-program.ts";
import type { PublishedPort } from "../../network/ports.ts";
import type { Call, CallOptions, Line } from "../../plan/index.ts";
import { Block, PlanError, Plan } from "../../plan/index.ts";
import type { EngineContext } from "../context.ts";
import { readIfThere } from "../processes.ts";
import { underHostLock } from "./bridge.ts";
import { hostNamesOf } from "./host-names.ts";
import type { PortTarget } from "./rules.ts";
import { runSmall } from "./send.ts";

/**
 * Published ports on the host's ::1, by the program of src/network/loopback-program.ts. It is attached for the first port and detached after the
 * last; a file in the run state has the kernel's ids of map and program.
 */
const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_MAP_GET_FD_BY_ID = 14;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_MAP_TYPE_HASH = 1;
const BPF_F_NO_PREALLOC = 1;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18;
const BPF_CGROUP_INET6_CONNECT = 11;
const BPF_F_ALLOW_MULTI = 2;
const MAX_ELEMENTS = 65536;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const WHAT = "publish ports on ::1";

interface Ids {
  readonly map: number;
  readonly program: number;
}

function idsPath(context: EngineContext): string {
  return `${context.paths.state}/loopback`;
}

function attachedIds(context: EngineContext): Ids | undefined {
  const match = /^(\d+) (\d+)\n$/.exec(readIfThere(idsPath(context)) ?? "");
  return match === null ? undefined : { map: Number(match[1]), program: Number(match[2]) };
}

type Element = NonNullable<ReturnType<typeof loopbackElement>>;

function elementsOf(ports: readonly PublishedPort[], target: PortTarget): Element[] {
  return ports.map((port) => loopbackElement(port, target)).filter((element) => element !== undefined);
}

/**
 * Makes ports answer on ::1. On a kernel or host without what it takes (cgroup v2, BPF) they do not; that is a failure only for a port that
 * was asked for there.
 */
export async function publishOnLoopback(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const elements = elementsOf(ports, target);
  if (elements.length === 0) return;
  try {
    const ids = attachedIds(context);
    if (ids !== undefined && (await change(context, ids, elements, "update"))) return;
    await underHostLock(context, async () => {
      const now = attachedIds(context);
      if (now !== undefined && (await change(context, now, elements, "update"))) return;
      await attach(context, elements);
    });
  } catch (error) {
    const asked = ports.find(({ hostIp }) => hostIp === "::1");
    if (!(error instanceof SampanError)) throw error;
    if (asked === undefined && (error.kind === "unsupported" || error instanceof PlanError)) return;
    if (asked === undefined) throw error;
    throw new SampanError("unsupported", `Cannot publish port [::1]:${asked.hostPort}/${asked.protocol}: ${error.message}`, {
      cause: error,
      hint: "Publish it on 127.0.0.1",
    });
  }
}

export async function withdrawFromLoopback(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const elements = elementsOf(ports, target);
  const ids = elements.length === 0 ? undefined : attachedIds(context);
  if (ids !== undefined) await change(context, ids, elements, "delete");
}

function bpf(line: Line, command: number, attribute: Block, options: CallOptions = {}): Call {
  return line.call("bpf", [command, attribute, attribute.bytes.length], { what: WHAT, ...options });
}

/** An attribute block with 32-bit members from the start. */
function attributes(label: string, ...members: number[]): Block {
  const block = new Block(144, label);
  members.forEach((member, i) => block.u32(i * 4, member));
  return block;
}

/** False if the map is gone. */
async function change(context: EngineContext, { map }: Ids, elements: readonly Element[], how: "update" | "delete"): Promise<boolean> {
  const plan = new Plan();
  plan.outer.stage("::1");
  const fd = bpf(plan.outer, BPF_MAP_GET_FD_BY_ID, attributes("the map's id", map), { tolerate: ["ENOENT"] });
  plan.outer.unless({ of: fd, is: "failed" }, () => { changeElements(plan.outer, fd, elements, how); });
  plan.outer.exit(0);
  const report = await runSmall(context, plan);
  return report.result(fd.index).value >= 0;
}

function changeElements(line: Line, map: Call, elements: readonly Element[], how: "update" | "delete"): void {
  for (const { key, value } of elements) {
    const block = new Block(32, "map element").pointer(8, new Block(key, "port and protocol"));
    if (how === "update") block.pointer(16, new Block(value, "address and port"));
    line.patch(block, 0, map, "u32");
    bpf(line, how === "update" ? BPF_MAP_UPDATE_ELEM : BPF_MAP_DELETE_ELEM, block, how === "update" ? {} : { tolerate: ["ENOENT"] });
  }
}

function cgroupRoot(context: EngineContext): string {
  const mountpoint = context.cgroups.unified?.mountpoint;
  if (mountpoint === undefined) throw new SampanError("unsupported", "this host has no cgroup v2 hierarchy");
  return mountpoint;
}

/** Makes the map, loads the program with it and the host's namespace in it, and attaches it: one plan. */
async function attach(context: EngineContext, elements: readonly Element[]): Promise<void> {
  const plan = new Plan();
  const line = plan.outer;
  line.stage("::1");
  const name = new TextEncoder().encode(hostNamesOf(context.paths.root).table.slice(0, 15));
  const socket = line.call("socket", [nl.AF_INET, 2 | C.SOCK_CLOEXEC, 0], { what: WHAT });
  const cookie = new Block(8, "the namespace's cookie");
  line.call("getsockopt", [socket, SOL_SOCKET, SO_NETNS_COOKIE, cookie, new Block(4, "socklen_t").u32(0, 8)], {
    what: WHAT,
    why: "only the host's own ::1 is meant",
  });

  const mapAttributes = attributes("the map", BPF_MAP_TYPE_HASH, LOOPBACK_KEY_SIZE, LOOPBACK_VALUE_SIZE, MAX_ELEMENTS, BPF_F_NO_PREALLOC);
  mapAttributes.bytes.set(name, 28);
  const map = bpf(line, BPF_MAP_CREATE, mapAttributes);
  const { bytes, mapFdAt, cookieLowAt, cookieHighAt } = loopbackProgram();
  const instructions = new Block(bytes, "BPF program");
  line.patch(instructions, mapFdAt, map, "u32");
  line.patch(instructions, cookieLowAt, { load32: cookie, offset: 0 }, "u32");
  line.patch(instructions, cookieHighAt, { load32: cookie, offset: 4 }, "u32");
  const load = attributes("the program", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, bytes.length / 8).pointer(8, instructions).pointer(16, "GPL");
  load.bytes.set(name, 48);
  load.u32(68, BPF_CGROUP_INET6_CONNECT);
  const program = bpf(line, BPF_PROG_LOAD, load);
  changeElements(line, map, elements, "update");
  const group = line.call("openat", [C.AT_FDCWD, cgroupRoot(context), C.O_DIRECTORY | C.O_CLOEXEC, 0], { what: WHAT });
  const ids = [readId(plan, map), readId(plan, program)] as const;
  const attachment = attributes("the attachment", 0, 0, BPF_CGROUP_INET6_CONNECT, BPF_F_ALLOW_MULTI);
  line.patch(attachment, 0, group, "u32");
  line.patch(attachment, 4, program, "u32");
  bpf(line, BPF_PROG_ATTACH, attachment, { why: "beside those of others" });
  line.exit(0);
  const { out } = await runSmall(context, plan);
  const path = idsPath(context);
  mkdirSync(context.paths.state, { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.${process.pid}`, `${out.readUInt32LE(ids[0] + 4)} ${out.readUInt32LE(ids[1] + 4)}\n`);
  renameSync(`${path}.${process.pid}`, path);
}

/** The start of struct bpf_map_info or bpf_prog_info, type and id, at the returned place of the plan's output. */
function readId(plan: Plan, object: Call): number {
  const line = plan.outer;
  const info = new Block(8, "type and id");
  const query = attributes("which object", 0, info.bytes.length).pointer(8, info);
  line.patch(query, 0, object, "u32");
  bpf(line, BPF_OBJ_GET_INFO_BY_FD, query);
  // The kernel writes into the plan's own memory; a pipe carries it to where we can read it.
  const pipe = new Block(8, "int[2]");
  const { out } = plan.out(8);
  line.call("pipe2", [pipe, C.O_CLOEXEC], { what: WHAT });
  line.call("write", [{ load32: pipe, offset: 4 }, info, 8], { what: WHAT });
  line.call("read", [{ load32: pipe, offset: 0 }, { out }, 8], { what: WHAT });
  return out;
}

/** After a container's ports are given back: with the last of them the program goes. */
export async function releaseLoopback(context: EngineContext): Promise<void> {
  if (attachedIds(context) === undefined || context.store.ports.list().length > 0) return;
  await underHostLock(context, async () => {
    const ids = attachedIds(context);
    if (ids === undefined || context.store.ports.list().length > 0) return;
    const plan = new Plan();
    const line = plan.outer;
    const program = bpf(line, BPF_PROG_GET_FD_BY_ID, attributes("the program's id", ids.program), { tolerate: ["ENOENT"] });
    line.unless({ of: program, is: "failed" }, () => {
      const group = line.call("openat", [C.AT_FDCWD, cgroupRoot(context), C.O_DIRECTORY | C.O_CLOEXEC, 0], { what: WHAT });
      const attachment = attributes("the attachment", 0, 0, BPF_CGROUP_INET6_CONNECT);
      line.patch(attachment, 0, group, "u32");
      line.patch(attachment, 4, program, "u32");
      bpf(line, BPF_PROG_DETACH, attachment, { tolerate: ["ENOENT"] });
    });
    line.exit(0);
    await runSmall(context, plan);
    rmSync(idsPath(context), { force: true });
  });
}
