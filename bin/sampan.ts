// @ts-expect-error: the bundler makes this the path of the embedded file; TypeScript has no name for a file without an ending
import keelPath from "../dist/keel" with { type: "file" };
import { main } from "../src/cli/main.ts";
import { processIo } from "../src/cli/process-io.ts";

declare const KEEL_VERSION: string; // set by the build

globalThis.sampanEmbedded = { path: keelPath, version: KEEL_VERSION };
// No top-level await: as CommonJS each module is loaded when it is first needed, built-in ones too.
void main(process.argv.slice(2), processIo()).then((code) => {
  process.exitCode = code;
});
