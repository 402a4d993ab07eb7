import { SampanError } from "../../base/errors.ts";

/** signal(7), standard signals of x86 and ARM by number, from 1. */
const NAMES = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/** The number of a signal: by name with or without SIG, in any case, "RTMIN+3", or as a number. Throws in Docker's words. */
export function signalNumber(text: string): number {
  const word = text.trim().toUpperCase().replace(/^SIG/, "");
  const number = /^\d{1,2}$/.test(word) ? Number(word) : NAMES.split(" ").indexOf(word) + 1;
  if (number >= 1 && number <= 64) return number;
  // The C library keeps 32 and 33 for itself.
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(word);
  const offset = Number(`${realtime?.[2] ?? "+"}${realtime?.[3] ?? "0"}`);
  const value = (realtime?.[1] === "MAX" ? 64 : 34) + offset;
  if (realtime !== null && value >= 34 && value <= 64) return value;
  throw new SampanError("invalid", `Invalid signal: ${text}`);
}

/** "SIGTERM" for 15; undefined for 0, which is no signal. */
export function signalName(number: number): string | undefined {
  if (number === 0) return undefined;
  const name = NAMES.split(" ")[number - 1];
  return name !== undefined ? `SIG${name}` : number >= 34 ? `SIGRTMIN+${number - 34}` : `SIG${number}`;
}
