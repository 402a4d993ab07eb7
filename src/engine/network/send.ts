import { mkdirSync } from "node:fs";
import * as nl from "../../linux/netlink.ts";
import * as C from "../../linux/constants.ts";
import type { Batch } from "../../network/rtnetlink/batch.ts";
import type { DumpSubject } from "../../network/rtnetlink/dump.ts";
import { dumpNetwork } from "../../network/rtnetlink/dump.ts";
import type { Call, CallOptions, Line, Report } from "../../plan/index.ts";
import { Block, Plan, runPlan } from "../../plan/index.ts";
import type { EngineContext } from "../context.ts";

/**
 * Netlink outside of a container's start: small plans for keel, since neither Node nor Bun can open such a socket.
 */
const SOCK_RAW = 3;

/** nlmsghdr, error number, header of the message that it answers. */
const ACK_SIZE = 36;
/** keel's plan and report are the two descriptors after those that the plan inherits. */
const INHERITED = 3;

export interface Step {
  readonly batch: Batch;
  /** NETLINK_ROUTE unless it says otherwise. */
  readonly protocol?: number;
  /** Sent from the namespace that `netns` is; before it, from the host's. */
  readonly inside?: boolean;
  /** Written before the batch is sent, beneath /proc/sys; it shows the namespace of whoever opens it. */
  readonly sysctls?: readonly { readonly path: string; readonly value: string; readonly why: string }[];
  /** Errnos that are no failure, for every message. */
  readonly tolerate?: CallOptions["tolerate"];
}

export interface SendOptions {
  /** For error messages: `connect container "web"`. */
  readonly what: string;
  /** A descriptor of a network namespace: for `inside` and for patches that name it. */
  readonly netns?: number;
}

/** Sends batches one after the other; throws what the kernel had against one, by its label. */
export async function sendBatches(context: EngineContext, steps: readonly Step[], options: SendOptions): Promise<void> {
  const plan = new Plan();
  const line = plan.outer;
  line.stage("network");
  let inside = false;
  for (const step of steps) {
    if (step.inside === true && !inside) {
      inside = true;
      line.call("setns", [INHERITED, C.CLONE_NEWNET], { what: options.what, why: "the container's network namespace" });
    }
    for (const { path, value, why } of step.sysctls ?? []) {
      const file = line.call("openat", [C.AT_FDCWD, `/proc/sys/${path}`, C.O_WRONLY | C.O_CLOEXEC, 0], { what: options.what, why });
      line.call("write", [file, value, value.length], { what: options.what, why });
      line.call("close", [file], { what: options.what, why });
    }
    addBatch(line, step, options.what);
  }
  line.exit(0);
  await runSmall(context, plan, options.netns);
}

function addBatch(line: Line, { batch, protocol = nl.NETLINK_ROUTE, tolerate }: Step, what: string): void {
  const socket = openSocket(line, protocol, what);
  const bytes = new Block(Uint8Array.from(batch.bytes), "netlink messages");
  for (const { offset } of batch.patches) bytes.u32(offset, INHERITED);
  line.call("sendto", [socket, bytes, batch.bytes.length, 0, null, 0], { what, why: "all at once", expect: batch.bytes.length });
  for (const { label } of batch.messages) {
    const ack = new Block(64, "struct nlmsgerr");
    line.call("recvfrom", [socket, ack, ACK_SIZE, 0, null, null], { what: label, why: "its acknowledgement" });
    line.check({ load32: ack, offset: 16 }, { what: label, ...(tolerate === undefined ? {} : { tolerate }) });
  }
  line.call("close", [socket], { what });
}

function openSocket(line: Line, protocol: number, what: string): Call {
  const socket = line.call("socket", [nl.AF_NETLINK, SOCK_RAW | C.O_CLOEXEC, protocol], { what, why: "netlink(7)" });
  line.call("setsockopt", [socket, nl.SOL_NETLINK, nl.NETLINK_CAP_ACK, new Block(4, "int").u32(0, 1), 4], { what, why: "short acknowledgements" });
  return socket;
}

/** Runs a plan of our own; it inherits the namespace as descriptor 3. */
export async function runSmall(context: EngineContext, plan: Plan, netns?: number): Promise<Report> {
  const { keel, paths: { state } } = context;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  if (netns !== undefined) plan.keepBelow = INHERITED + 1;
  return runPlan(plan, { keel, directory: state, ...(netns === undefined ? {} : { inherit: [netns] }) });
}

/** All links, addresses or routes of the host, as messages to decode. */
export function dump(context: EngineContext, what: DumpSubject): Promise<Buffer> {
  return dumpNetwork(what, (plan) => runSmall(context, plan));
}
