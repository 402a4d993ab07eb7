import type { Arg, Call, CallOptions, Op, PatchFormat, Side } from "./model.ts";
import { Block } from "./model.ts";

/** One side of a plan: a straight line of instructions. */
export class Line {
  readonly side: Side;
  readonly calls: Call[] = [];
  #stage = "";

  constructor(side: Side) {
    this.side = side;
  }

  /** What follows belongs to this stage: a heading of `explain` and `trace`. */
  stage(name: string): this {
    this.#stage = name;
    return this;
  }

  /** A system call; the result is the handle by which later instructions name what it returned. */
  call(name: string, args: readonly Arg[], options: CallOptions = {}): Call {
    return this.#add("call", name, args, options);
  }

  /** Puts a value that is known only at run time into a block. */
  patch(block: Block, offset: number, value: Arg, format: PatchFormat, options: CallOptions = {}): Call {
    return this.#add("patch", format, [block, offset, value], options);
  }

  /** The result of the first that did not fail. */
  pick(first: Arg, otherwise: Arg, options: CallOptions = {}): Call {
    return this.#add("pick", "pick", [first, otherwise], options);
  }

  /** Fails with this errno if the condition of its options holds. */
  fail(errno: number, options: CallOptions): Call {
    return this.#add("fail", "fail", [errno], options);
  }

  /** Fails if the value is negative, as an errno: an acknowledgement that another call wrote. */
  check(value: Arg, options: CallOptions = {}): Call {
    return this.#add("check", "check", [value], options);
  }

  /** Runs a program with bytes on its standard input and waits for it; the result is its wait(2) status. */
  spawn(block: Block, options: CallOptions = {}): Call {
    return this.#add("spawn", "spawn", [block], options);
  }

  clone(args: Block, size: number, options: CallOptions = {}): Call {
    return this.#add("clone", "clone3", [args, size], options);
  }

  /** Becomes the monitor; never returns. */
  monitor(block: Block, options: CallOptions = {}): Call {
    return this.#add("monitor", "monitor", [block], options);
  }

  /** Waits for the cloned child and ends as it did; never returns. */
  wait(options: CallOptions = {}): Call {
    return this.#add("wait", "wait", [], { ...options, waits: true });
  }

  /** Waits for end-of-file on a descriptor, then fails if the inner side did. */
  await(fd: Arg, options: CallOptions = {}): Call {
    return this.#add("await", "await", [fd], { ...options, waits: true });
  }

  /** Fails with ERANGE unless one line of the `size` bytes that a call read into `text` is `word`. */
  find(text: Block, size: Arg, word: string, options: CallOptions = {}): Call {
    return this.#add("find", "find", [text, size, word], options);
  }

  /**
   * Serves as the front of a container that runs already: the socket is connected to its monitor. Signals are passed
   * on, and keel ends when the container does or the person detaches; the report says which. Never returns.
   */
  front(socket: Arg, options: CallOptions = {}): Call {
    return this.#add("front", "front", [socket], { ...options, waits: true });
  }

  exit(code: number, options: CallOptions = {}): Call {
    return this.#add("exit", "exit", [code], options);
  }

  /** Forks: the parent stays as a reaper and signal forwarder and ends as the child does; the child goes on. */
  init(options: CallOptions = {}): Call {
    return this.#add("init", "init", [], options);
  }

  /**
   * Whatever `body` adds is skipped as a whole unless the condition holds: one jump instead of a test per call.
   * The condition is the negation of `unless`.
   */
  unless(unless: NonNullable<CallOptions["when"]>, body: () => void): void {
    const at = this.calls.length;
    const jump = this.#add("skip", "skip", [0], { when: unless });
    body();
    this.calls[at] = { ...jump, args: [this.calls.length - at - 1] };
  }

  #add(op: Op, name: string, args: readonly Arg[], options: CallOptions): Call {
    const call: Call = { side: this.side, index: this.calls.length, op, name, args, options, stage: this.#stage };
    this.calls.push(call);
    return call;
  }
}

export interface PlanFlags {
  /** Time every call. */
  trace?: boolean;
  /** Fork a monitor that outlives keel's caller. */
  fork?: boolean;
  /** The last of a plan in parts. */
  last?: boolean;
}

/** A program of system calls in two straight lines that meet at pipes. */
export class Plan {
  readonly outer = new Line("outer");
  readonly inner = new Line("inner");
  readonly flags: PlanFlags;
  /** Bytes that calls write for the engine to read back. */
  outSize = 0;
  /** Descriptors from this number on are closed when keel starts. */
  keepBelow = 3;

  constructor(flags: PlanFlags = {}) {
    this.flags = flags;
  }

  /** Reserves room that the engine reads back; a value to pass as an argument. */
  out(size: number): { readonly out: number; readonly size: number } {
    const out = this.outSize;
    this.outSize += (size + 7) & ~7;
    return { out, size };
  }
}

export { Block };
