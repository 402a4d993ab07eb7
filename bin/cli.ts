#!/usr/bin/env node
/** `sampan` as a script, for machines without the executable: slower to start, the same otherwise. Part of the library's package. */
import { main } from "../src/cli/main.ts";
import { processIo } from "../src/cli/process-io.ts";

process.exitCode = await main(process.argv.slice(2), processIo());
