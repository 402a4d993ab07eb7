/**
 * What keel writes down while it runs a plan: `struct report` of native/keel/plan.h, one result per instruction, then
 * the bytes that calls wrote for us.
 */
const HEADER = 64;
const RESULT = 24;
const NO_INDEX = 0xffffffff;

export type ReportState = "running" | "started" | "failed" | "exited" | "detached";
const STATES: readonly ReportState[] = ["running", "started", "failed", "exited", "detached"];

export interface CallResult {
  /** What the call returned; a negative errno if it failed. 0 if it was skipped. */
  readonly value: number;
  /** CLOCK_MONOTONIC in nanoseconds; 0 unless the plan was traced or the call was skipped. */
  readonly startNs: number;
  readonly endNs: number;
}

export interface Report {
  readonly state: ReportState;
  /** Position in the plan (outer, then inner) of the call that failed; undefined if keel itself did. */
  readonly failure: { readonly index: number | undefined; readonly errno: number } | undefined;
  readonly childPid: number;
  readonly monitorPid: number;
  /** Exit code, or 128 + signal. */
  readonly status: number;
  readonly signal: number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly startNs: number;
  /** CLOCK_REALTIME, nanoseconds since the epoch; 0 before the child was reaped. */
  readonly exitNs: bigint;
  result(index: number): CallResult;
  /** What calls wrote at `out` offsets. */
  readonly out: Buffer;
}

/** How far a plan is, from the first bytes of its report. */
export function parseState(bytes: Buffer): ReportState {
  return STATES[bytes.readUInt32LE(0)] ?? "running";
}

/** Who was cloned and by whom, from the first 24 bytes of a report; 0 before that. */
export function parseBirth(bytes: Buffer): { readonly child: number; readonly parent: number } {
  return { child: bytes.readInt32LE(16), parent: bytes.readInt32LE(20) };
}

/** Reads a report; `count` is the number of instructions of the plan. Throws RangeError if it is cut short. */
export function parseReport(bytes: Buffer, count: number): Report {
  const outAt = HEADER + count * RESULT;
  const failed = bytes.readUInt32LE(4) !== NO_INDEX;
  const index = bytes.readUInt32LE(8);
  return {
    state: parseState(bytes),
    failure: failed ? { index: index === NO_INDEX ? undefined : index, errno: bytes.readUInt32LE(12) } : undefined,
    childPid: bytes.readInt32LE(16),
    monitorPid: bytes.readInt32LE(20),
    status: bytes.readInt32LE(24),
    signal: bytes.readInt32LE(28),
    startNs: Number(bytes.readBigUInt64LE(32)),
    exitNs: bytes.readBigUInt64LE(40),
    result(i) {
      const at = HEADER + i * RESULT;
      return {
        value: Number(bytes.readBigInt64LE(at)),
        startNs: Number(bytes.readBigUInt64LE(at + 8)),
        endNs: Number(bytes.readBigUInt64LE(at + 16)),
      };
    },
    out: bytes.subarray(outAt),
  };
}
