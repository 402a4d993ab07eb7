import { SampanError } from "../base/errors.ts";

/** Refuses at once, in one sentence, what only root can do. `what` follows "Cannot": "list volumes". */
export function needRoot(what: string): void {
  if (process.geteuid?.() !== 0) throw new SampanError("denied", `Cannot ${what}: Sampan needs root`, { hint: "Run it with sudo" });
}
