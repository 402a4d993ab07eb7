/**
 * Somebody's program that has the library open. Reads lines, "none" or "bridge", and answers each with the milliseconds from asking
 * for a container with such a network until its program runs. Arguments: the library's file and a root filesystem.
 */
import { createInterface } from "node:readline";
import type * as Library from "../../src/library/index.ts";

const [library = "", rootfs = ""] = process.argv.slice(2);
const { Engine } = (await import(library)) as typeof Library; // what it was built from
await using engine = await Engine.open();
for await (const network of createInterface({ input: process.stdin })) {
  const started = performance.now();
  const container = await engine.containers.start({ image: "", rootfs: { path: rootfs, writable: false }, command: ["/bin/sleep", "60"], network });
  const taken = performance.now() - started;
  await container.remove();
  console.log(taken);
}
