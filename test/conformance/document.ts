/** Writes docs/conformance.md from the clauses. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { conformanceTable } from "./clauses.ts";

writeFileSync(join(import.meta.dirname, "../../docs/conformance.md"), conformanceTable());
