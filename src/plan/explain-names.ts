import type { Plan } from "./build.ts";
import type { Arg, Call, Load32 } from "./model.ts";
import { Block } from "./model.ts";

/** How people read of what a call returned: what it stands for, and the number of the call. */
export class Names {
  readonly #plan: Plan;
  /** The call that fills a block, for values that others read out of it. */
  readonly #writers = new Map<Block, Call>();
  /** What is put into a block while the plan runs. */
  readonly #patches = new Map<Block, { readonly offset: number; readonly value: Arg }[]>();

  constructor(plan: Plan) {
    this.#plan = plan;
    for (const call of [...plan.outer.calls, ...plan.inner.calls]) {
      if (call.op === "patch") {
        const [block, offset, value] = call.args;
        if (!(block instanceof Block) || typeof offset !== "number" || value === undefined) continue;
        this.#patches.set(block, [...(this.#patches.get(block) ?? []), { offset, value }]);
      } else for (const arg of call.args) if (arg instanceof Block) this.#writes(arg, call);
    }
  }

  #writes(block: Block, call: Call): void {
    if (!this.#writers.has(block)) this.#writers.set(block, call);
    for (const { to } of block.pointers) if (to instanceof Block) this.#writes(to, call);
  }

  /** Position in the whole plan, the outer side first: how reports and error messages count. */
  number(call: Call): number {
    return call.side === "outer" ? call.index : this.#plan.outer.calls.length + call.index;
  }

  /** "proc#90": the result of call 90, which is a descriptor of proc. */
  reference(call: Call): string {
    return `${this.#noun(call, 0)}#${this.number(call)}`;
  }

  /** A word that a call wrote into a block: "pipe#3.read". */
  loaded({ load32, offset }: Load32): string {
    const writer = this.#writers.get(load32);
    if (writer === undefined) return `word ${offset} of ${load32.label}`;
    const number = this.number(writer);
    switch (writer.name) {
      case "pipe2":
        return `pipe#${number}.${offset === 0 ? "read" : "write"}`;
      case "socketpair":
        return `pair#${number}.${offset === 0 ? "a" : "b"}`;
      case "clone3":
        return `pidfd#${number}`;
      case "recvmsg":
        return `received#${number}`;
      case "recvfrom":
        return `answer#${number}`;
      default:
        return `${load32.label}#${number}+${offset}`;
    }
  }

  /** What is put at this offset of a block at run time. */
  patched(block: Block, offset: number): Arg | undefined {
    return this.#patches.get(block)?.find((patch) => patch.offset === offset)?.value;
  }

  #noun(call: Call, depth: number): string {
    const of = (arg: Arg | undefined): string => (isCall(arg) && depth < 16 ? this.#noun(arg, depth + 1) : call.name);
    const [first, second] = call.args;
    switch (call.name) {
      case "openat":
      case "openat2":
        return second instanceof Block ? "proc-of-child" : nounOfPath(typeof second === "string" ? second : "");
      case "fsopen":
        return typeof first === "string" ? first : call.name;
      case "fsmount":
      case "pick":
        return of(first);
      case "open_tree":
        return second === "" ? of(first) : nounOfPath(typeof second === "string" ? second : "");
      case "clone3":
        return "child";
      case "ioctl":
        return "terminal";
      default:
        return call.name;
    }
  }
}

/** The last two names of a path, without a container's id. */
function nounOfPath(path: string): string {
  const names = path.split("/").filter((name) => name !== "" && name !== "." && !/^[0-9a-f]{64}$/.test(name));
  return names.length === 0 ? "root" : names.slice(-2).join("/");
}

export function isCall(arg: Arg | undefined): arg is Call {
  return typeof arg === "object" && arg !== null && "side" in arg;
}
