import { SampanError } from "../base/errors.ts";

const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";
const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };
const RTMIN = 34;
const RTMAX = 64;

/** "0" (which only asks), "9", "KILL", "SIGKILL", "rtmin+3": signal(7)'s number on x86-64 and arm64. */
export function parseSignal(text: string): number {
  const fail = (): never => {
    throw new SampanError("invalid", `Cannot send signal "${text}": unknown signal`);
  };
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number <= RTMAX ? number : fail();
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const index = NAMES.split(" ").indexOf(name);
  if (index >= 0) return index + 1;
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (alias !== undefined) return alias;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!realtime) return fail();
  const offset = Number(realtime[3] ?? 0) * (realtime[2] === "-" ? -1 : 1);
  const number = (realtime[1] === "MIN" ? RTMIN : RTMAX) + offset;
  return number >= RTMIN && number <= RTMAX ? number : fail();
}
