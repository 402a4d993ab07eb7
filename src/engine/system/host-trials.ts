import { errnoName } from "../../linux/errno.ts";
import * as nl from "../../linux/netlink.ts";
import * as C from "../../linux/constants.ts";
import { BatchWriter } from "../../network/rtnetlink/batch.ts";
import { newBridge, newVeth } from "../../network/rtnetlink/link.ts";
import type { Call, Line } from "../../plan/index.ts";
import { Block, Plan, runPlan } from "../../plan/index.ts";
import { readIfThere } from "../processes.ts";

/** What trying gave: "ok", or the errno by which the kernel refused. */
export type Outcome = string;

export interface Trials {
  readonly namespaces: Readonly<Record<"mount" | "uts" | "ipc" | "pid" | "network" | "cgroup" | "user" | "time", Outcome>>;
  /** The calls of which only being there matters, by name. */
  readonly calls: Readonly<Record<string, Outcome>>;
  /** An overlay with two layers, its upper one where the store is. */
  readonly overlay: Outcome;
  /** With the host's root directory as its lower layer: the built-in image. */
  readonly overlayOverRoot: Outcome;
  readonly bridge: Outcome;
  readonly veth: Outcome;
}

const NAMESPACES = {
  mount: C.CLONE_NEWNS, uts: C.CLONE_NEWUTS, ipc: C.CLONE_NEWIPC, pid: C.CLONE_NEWPID, cgroup: C.CLONE_NEWCGROUP, time: C.CLONE_NEWTIME,
  network: C.CLONE_NEWNET, user: C.CLONE_NEWUSER,
} as const;

const SOCK_RAW = 3;
/** nlmsghdr, error number, header of the message that it answers. */
const ACK_SIZE = 36;
const MSG_DONTWAIT = 0x40;

/**
 * Tries for real what containers are made of, in one short-lived process: nothing it makes is visible to anybody else,
 * and all of it ends with the process. `scratch` is an empty directory of ours on the store's filesystem.
 */
export async function tryHost(keel: string, scratch: string): Promise<Trials> {
  const plan = new Plan();
  const line = plan.outer;
  line.stage("check");
  const calls = probeCalls(line);
  const overlay = tryOverlay(line, [`${scratch}/lower1`, `${scratch}/lower2`], `${scratch}/upper`, `${scratch}/work`);
  const overlayOverRoot = tryOverlay(line, ["/"], `${scratch}/upper2`, `${scratch}/work2`);
  const namespaces = Object.entries(NAMESPACES).map(([name, flag]) => {
    const call = line.call("unshare", [flag], { tolerate: "any" });
    let links: ReturnType<typeof tryLinks> | undefined;
    // Only in a namespace of our own: where there is none, the links would be the host's.
    if (name === "network") line.unless({ of: call, is: "failed" }, () => { links = tryLinks(plan, line); });
    return { name, call, links };
  });
  line.exit(0);
  const report = await runPlan(plan, { keel, directory: scratch });
  const outcome = (call: Call): Outcome => outcomeOf(report.result(call.index).value);
  const links = namespaces.find(({ name }) => name === "network")?.links;
  const linkOutcome = (answer: Answer | undefined): Outcome => {
    const size = answer === undefined ? 0 : report.result(answer.call.index).value;
    return answer === undefined || size < nl.NLMSG_HDRLEN + 4 ? outcomeOf(Math.min(size, -1)) : outcomeOf(report.out.readInt32LE(answer.at + nl.NLMSG_HDRLEN));
  };
  const network = namespaces.find(({ name }) => name === "network");
  const isIsolated = network !== undefined && outcome(network.call) === "ok";
  return {
    // Every key of NAMESPACES, which are the keys of the type.
    namespaces: Object.fromEntries(namespaces.map(({ name, call }) => [name, outcome(call)])) as Trials["namespaces"],
    // An errno other than these is an answer: the call is there.
    calls: Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, ["ENOSYS", "EPERM"].includes(outcome(call)) ? outcome(call) : "ok"])),
    overlay: overlay.map(outcome).find((result) => result !== "ok") ?? "ok",
    overlayOverRoot: overlayOverRoot.map(outcome).find((result) => result !== "ok") ?? "ok",
    bridge: isIsolated ? linkOutcome(links?.bridge) : "EPERM",
    veth: isIsolated ? linkOutcome(links?.veth) : "EPERM",
  };
}

function outcomeOf(result: number): Outcome {
  return result < 0 ? errnoName(-result) : "ok";
}

/** Calls with arguments that cannot do anything: whether the kernel knows them shows in the errno. */
function probeCalls(line: Line): Record<string, Call> {
  const probe = (name: string, args: readonly number[]): Call => line.call(name, [...args], { tolerate: "any" });
  return {
    clone3: probe("clone3", [0, 0]),
    openat2: probe("openat2", [-1, 0, 0, 0]),
    pidfd_open: probe("pidfd_open", [-1, 0]),
    close_range: probe("close_range", [1, 0, 0]),
    fsopen: probe("fsopen", [0, 0]),
    open_tree: probe("open_tree", [-1, 0, 0xffff0]),
    move_mount: probe("move_mount", [-1, 0, -1, 0, 0xffff000]),
    mount_setattr: probe("mount_setattr", [-1, 0, 0, 0, 0]),
    seccomp: probe("seccomp", [C.SECCOMP_SET_MODE_FILTER, 0xffff000, 0]),
  };
}

function tryOverlay(line: Line, lowers: readonly string[], upper: string, work: string): Call[] {
  const tolerate = { tolerate: "any" } as const;
  const fs = line.call("fsopen", ["overlay", C.FSOPEN_CLOEXEC], tolerate);
  const set = (key: string, value: string): Call => line.call("fsconfig", [fs, C.FSCONFIG_SET_STRING, key, value, 0], tolerate);
  return [
    fs, set("lowerdir", lowers.join(":")), set("upperdir", upper), set("workdir", work), set("index", "off"),
    line.call("fsconfig", [fs, C.FSCONFIG_CMD_CREATE, null, null, 0], tolerate),
    line.call("fsmount", [fs, C.FSMOUNT_CLOEXEC, 0], tolerate),
  ];
}

interface Answer {
  /** Where the acknowledgement is in what is read back. */
  readonly at: number;
  readonly call: Call;
}

/** Makes a bridge and a veth pair in a network namespace of their own. */
function tryLinks(plan: Plan, line: Line): { readonly bridge: Answer; readonly veth: Answer } {
  const tolerate = { tolerate: "any" } as const;
  const writer = new BatchWriter();
  newBridge(writer, "make a bridge", { name: "check0" });
  newVeth(writer, "make a veth pair", { name: "check1" }, { name: "check2" });
  const batch = writer.finish();
  const socket = line.call("socket", [nl.AF_NETLINK, SOCK_RAW | C.O_CLOEXEC, nl.NETLINK_ROUTE], tolerate);
  line.call("setsockopt", [socket, nl.SOL_NETLINK, nl.NETLINK_CAP_ACK, new Block(4, "int").u32(0, 1), 4], tolerate);
  line.call("sendto", [socket, new Block(Uint8Array.from(batch.bytes), "netlink messages"), batch.bytes.length, 0, null, 0], tolerate);
  const answer = (): Answer => {
    const { out } = plan.out(ACK_SIZE);
    // It was given before sendto(2) returned; where there is none, nobody waits for it.
    return { at: out, call: line.call("recvfrom", [socket, { out }, ACK_SIZE, MSG_DONTWAIT, null, null], tolerate) };
  };
  return { bridge: answer(), veth: answer() };
}

/** Effective capabilities of this process as a bit set (proc_pid_status(5)). */
export function effectiveCapabilities(): bigint {
  return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readIfThere("/proc/self/status") ?? "")?.[1] ?? "0"}`);
}
