import keelPath from "../dist/keel" with { type: "file" };
import { main } from "../src/cli/main.ts";
import { processIo } from "../src/cli/process-io.ts";

declare const KEEL_VERSION: string; // set by the build

globalThis.sampanEmbedded = { path: keelPath, version: KEEL_VERSION };
process.exitCode = await main(process.argv.slice(2), processIo());
