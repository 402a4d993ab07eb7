import { SampanError } from "../../base/errors.ts";

/** Refuses early and once: owners, devices and capabilities of files are root's to set. */
export function requireRootFor(what: string): void {
  if (process.geteuid?.() !== 0) throw new SampanError("denied", `Cannot ${what}: Sampan needs root`, { hint: "Run it with sudo" });
}
