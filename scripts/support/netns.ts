/**
 * The first `ip netns add` on a machine mounts /run/netns on itself and leaves it so (ip-netns(8)). Done before the first
 * test and undone after the last one, it is not held against the test that happens to be first.
 */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { mountsBeneath } from "../../test/support/trees.ts";
import { runStep } from "./process.ts";

const PLACE = "/run/netns";

async function call(command: string[]): Promise<void> {
  const step = await runStep(command, { timeoutMs: 30_000 });
  if (step.exitCode !== 0) throw new Error(`Cannot prepare the tests: "${command.join(" ")}" failed: ${step.output.trimEnd()}`);
}

/** Returns what takes the mount away again, unless it was there before or somebody uses it by then. */
export async function prepareNamedNamespaces(): Promise<() => Promise<void>> {
  const [wasThere, wasMounted] = [existsSync(PLACE), mountsBeneath(PLACE).includes(PLACE)];
  const name = `sampan-${process.pid}`;
  await call(["ip", "netns", "add", name]);
  await call(["ip", "netns", "del", name]);
  return async () => {
    if (wasMounted || readdirSync(PLACE).length > 0) return;
    await call(["umount", PLACE]);
    if (!wasThere) rmdirSync(PLACE);
  };
}
