import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { SampanError, errnoOf, messageOf } from "../base/errors.ts";
import { hostArch } from "../linux/arch.ts";
import * as C from "../linux/constants.ts";
import { Plan } from "./build.ts";
import type { BulkPart } from "./bulk.ts";
import { encodePlan } from "./encode.ts";
import type { Call } from "./model.ts";
import { Block } from "./model.ts";
import type { Report } from "./report.ts";
import { parseReport } from "./report.ts";
import { planFailure, runPlan } from "./run.ts";
import type { Spawned } from "./spawn.ts";
import { spawnProcess } from "./spawn.ts";

/** What keel answers each part of a plan with, before what calls wrote for us (struct report of native/keel/plan.h). */
const REPORT_SIZE = 64;
/** Results travel through a pipe of keel's own, which holds this much (pipe(7)). */
const PIPE_SIZE = 65536;
/** The registers that hold the two ends of that pipe. */
const RESULTS_IN = 30;
const RESULTS_OUT = 31;

export interface SessionOptions {
  /** The executor. */
  readonly keel: string;
  /** A directory of ours, for two FIFOs that are unlinked as soon as they are open. */
  readonly directory: string;
  /** Further descriptors of ours, which keel has as 3 and up. They stay open in it. */
  readonly inherit?: readonly number[];
}

export interface PartReply {
  readonly report: Report;
  /** What a collected call returned: a negative errno if it failed. */
  result(call: Call): number;
  /** What calls wrote at `out` offsets. */
  readonly out: Buffer;
}

/**
 * A part of a plan that runs in parts. A call that may fail has to tolerate it, as one that is not tolerated ends the
 * session; `collect` brings its result back.
 */
export class Part {
  readonly plan = new Plan();
  readonly line = this.plan.outer;
  readonly #collected: Call[] = [];

  /** Has the call's result sent back. At most 8000 of them. */
  collect(call: Call): Call {
    this.#collected.push(call);
    return call;
  }

  get collected(): readonly Call[] {
    return this.#collected;
  }
}

/**
 * A keel that stays: parts of a plan go to it one after the other, each is answered, and what it opened (by descriptor
 * number, or in registers 0 to 29) is there for the next. Used where TypeScript has to look before it decides, and where
 * there are too many calls for one plan.
 *
 * Reading and writing are synchronous, since an answer takes microseconds and an event loop's turn costs more. One part
 * may be posted while its answer is not yet taken: then keel works while the caller prepares the next.
 */
export class Session implements Disposable {
  /** Of keel, for /proc/PID/fd. */
  readonly pid: number;
  readonly #child: Spawned;
  #write: number;
  #read: number;
  #posted: Part | BulkPart | undefined;
  #resultsOffset = 0;
  #glance = -1;

  constructor(child: Spawned, write: number, read: number) {
    this.pid = child.pid;
    this.#child = child;
    this.#write = write;
    this.#read = read;
  }

  static async open(options: SessionOptions): Promise<Session> {
    const opened: number[] = [];
    const open = (path: string, flags: number): number => {
      const fd = openSync(path, flags);
      opened.push(fd);
      return fd;
    };
    const paths = await makeFifos(options);
    try {
      // With both ends held open nobody waits for the other in open(2); the ends that are keel's are closed here below.
      const [toKeel, fromKeel] = [open(paths[0], constants.O_RDWR), open(paths[1], constants.O_RDWR)];
      const write = open(paths[0], constants.O_WRONLY);
      const read = open(paths[1], constants.O_RDONLY);
      const [from, to] = [open(paths[0], constants.O_RDONLY), open(paths[1], constants.O_WRONLY)];
      const inherit = options.inherit ?? [];
      const args = [String(3 + inherit.length), String(4 + inherit.length)];
      const child = await spawnProcess(options.keel, args, { stdio: ["ignore", "ignore", 2, ...inherit, from, to], env: {}, argv0: "keel" });
      for (const fd of [toKeel, fromKeel, from, to]) closeSync(fd);
      const session = new Session(child, write, read);
      const part = new Part();
      const ends = new Block(8, "int[2]");
      part.line.call("pipe2", [ends, C.O_CLOEXEC | C.O_NONBLOCK], { what: "make a pipe", why: "results come back through it" });
      part.line.pick({ load32: ends, offset: 0 }, 0, { register: RESULTS_OUT });
      part.line.pick({ load32: ends, offset: 4 }, 0, { register: RESULTS_IN });
      session.run(part);
      return session;
    } catch (error) {
      for (const fd of opened) closeQuietly(fd);
      if (error instanceof SampanError) throw error;
      throw new SampanError("unavailable", `Cannot start the executor "${options.keel}": ${messageOf(error)}`, { code: errnoOf(error), cause: error });
    } finally {
      for (const path of paths) unlinkSync(path);
    }
  }

  /** Sends a part and does not wait. The answer to the one before must have been taken. */
  post(part: Part): void {
    if (this.#posted) throw new SampanError("internal", "Cannot post a part: the answer to the last one has not been taken");
    const { line, plan, collected } = part;
    this.#resultsOffset = 0;
    if (collected.length > 0) {
      const size = collected.length * 8;
      if (size > PIPE_SIZE) throw new SampanError("internal", `Cannot collect ${collected.length} results of one part`);
      const block = new Block(size, "long[]");
      collected.forEach((call, i) => { line.patch(block, i * 8, call, "u64", { why: "a result" }); });
      const results = plan.out(size);
      line.call("write", [{ register: RESULTS_IN }, block, size], { what: "send results", expect: size });
      line.call("read", [{ register: RESULTS_OUT }, { out: results.out }, size], { what: "send results", expect: size });
      this.#resultsOffset = results.out;
    }
    this.#posted = part;
    this.#send(encodePlan(plan, hostArch()));
  }

  /** As `post`. Its answer is taken with `tryTakeBulk`; until then the part's memory is not to be used again. */
  postBulk(part: BulkPart): void {
    if (this.#posted) throw new SampanError("internal", "Cannot post a part: the answer to the last one has not been taken");
    this.#posted = part;
    for (const piece of part.encode()) this.#send(piece);
  }

  /**
   * The answer to a bulk part if there is one by now; undefined while keel is still at it. A failure is the caller's to tell: it
   * knows what each call was for.
   */
  tryTakeBulk(): Report | undefined {
    // Another description of the same FIFO: only this one does not wait.
    if (this.#glance < 0) this.#glance = openSync(`/proc/self/fd/${this.#read}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const head = Buffer.allocUnsafe(REPORT_SIZE);
    try {
      // Written by one write(2) of less than PIPE_BUF: all of it is there or none (pipe(7)).
      if (readSync(this.#glance, head, 0, REPORT_SIZE, null) < REPORT_SIZE)
        throw new SampanError("internal", "Cannot run the plan: the executor ended and said nothing");
    } catch (error) {
      if (errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
    this.#posted = undefined;
    return parseReport(head, 0);
  }

  #send(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(this.#write, bytes, at, bytes.length - at);
      } catch (error) {
        if (errnoOf(error) === "EPIPE") return; // keel has ended: its last answer says why
        throw error;
      }
    }
  }

  /** Waits for the answer to what was posted. Throws what failed; after that the session is over. */
  take(): PartReply {
    const part = this.#posted;
    if (!(part instanceof Part)) throw new SampanError("internal", "Cannot take an answer: nothing was posted");
    this.#posted = undefined;
    const report = this.#answer();
    const failure = planFailure(part.plan, report);
    if (failure) throw failure;
    const out = this.#receive(part.plan.outSize);
    if (!out) throw new SampanError("internal", "Cannot run the plan: the executor ended in the middle of an answer");
    const at = this.#resultsOffset;
    const places = new Map(part.collected.map((call, i) => [call, at + i * 8]));
    return {
      report, out,
      result(call) {
        const place = places.get(call);
        if (place === undefined) throw new SampanError("internal", `The result of ${call.name} was not collected`);
        return Number(out.readBigInt64LE(place));
      },
    };
  }

  run(part: Part): PartReply {
    this.post(part);
    return this.take();
  }

  #answer(): Report {
    const head = this.#receive(REPORT_SIZE);
    if (!head) throw new SampanError("internal", "Cannot run the plan: the executor ended and said nothing");
    return parseReport(head, 0);
  }

  /** Exactly `size` bytes, or undefined if keel has ended. */
  #receive(size: number): Buffer | undefined {
    const buffer = Buffer.allocUnsafe(size);
    for (let at = 0; at < size; ) {
      const read = readSync(this.#read, buffer, at, size - at, null);
      if (read === 0) return undefined;
      at += read;
    }
    return buffer;
  }

  /** Ends keel, and with it goes all that it had open or mounted. Idempotent. */
  [Symbol.dispose](): void {
    for (const fd of [this.#write, this.#read, this.#glance]) if (fd >= 0) closeSync(fd);
    this.#write = this.#read = this.#glance = -1;
  }

  /** Resolves when keel has ended: after `dispose`, when nothing of it is left. */
  get ended(): Promise<number> {
    return this.#child.exited;
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    if (errnoOf(error) !== "EBADF") throw error;
  }
}

let serial = 0; // names of FIFOs that exist for a moment, unique within this process

/** Neither Node nor Bun can make a FIFO or a bare pipe; a plan of two calls can. */
async function makeFifos({ keel, directory }: SessionOptions): Promise<readonly [string, string]> {
  const path = `${directory}/session.${process.pid}.${++serial}`;
  const paths = [`${path}.to`, `${path}.from`] as const;
  const plan = new Plan();
  for (const fifo of paths)
    plan.outer.call("mknodat", [C.AT_FDCWD, fifo, C.S_IFIFO | 0o600, 0], { what: `make the FIFO "${fifo}"`, why: "parts go one way, answers the other" });
  plan.outer.exit(0);
  await runPlan(plan, { keel, directory });
  return paths;
}
