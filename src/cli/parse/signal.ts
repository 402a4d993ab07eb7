import { refuse } from "../flags/flag.ts";

/** signal(7), standard signals of x86 and ARM by number, from 1. */
const signalNames =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" ");
const otherNames: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO" };

/** A signal's full name ("SIGTERM", "SIGRTMIN+3") from a name in any case, with or without SIG, or a number from 1 to 64. */
export function parseSignal(text: string): string {
  const word = text.trim().toUpperCase().replace(/^SIG/, "");
  if (/^[0-9]{1,2}$/.test(word)) {
    const number = Number(word);
    const name = signalNames[number - 1];
    if (name !== undefined) return `SIG${name}`;
    // 32 and 33 are the C library's own (signal(7)).
    if (number >= 34 && number <= 64) return number === 34 ? "SIGRTMIN" : `SIGRTMIN+${number - 34}`;
  } else if (signalNames.includes(word)) return `SIG${word}`;
  else if (Object.hasOwn(otherNames, word)) return `SIG${otherNames[word] ?? ""}`;
  else {
    const realtime = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(word);
    if (realtime !== null) {
      const offset = Number(`${realtime[2] ?? "+"}${realtime[3] ?? "0"}`) + (realtime[1] === "MAX" ? 30 : 0);
      if (offset >= 0 && offset <= 30) return offset === 0 ? "SIGRTMIN" : `SIGRTMIN+${offset}`;
    }
  }
  return refuse(`invalid signal: ${text}`);
}

/** `--detach-keys`: letters or ctrl- with a letter or one of @ [ \ ] ^ _, joined by commas. */
export function parseDetachKeys(text: string): string {
  const valid = text === "" || text.split(",").every((key) => /^(?:.|ctrl-[a-z@[\\\]^_]|DEL)$/i.test(key));
  return valid ? text : refuse(`invalid detach keys (${text})`);
}
