import { type Flag, refuse } from "../../flags/flag.ts";

/** A flag of Docker's that Sampan knows and refuses, so that nobody believes it was heeded. */
export function unsupported(reason: string, valueName = "string"): Flag<undefined> {
  return { help: reason, valueName, hidden: true, initial: undefined, accept: () => refuse(reason) };
}
