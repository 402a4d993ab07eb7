import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { toJson } from "../../output/json.ts";

const marks = { ok: "ok", degraded: "degraded", missing: "missing" } as const;

export const command = defineCommand({
  summary: "Say what this machine's kernel has and lacks for containers, and what to do about it",
  usage: "[OPTIONS]",
  flags: { json: bool("Print as JSON") },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { system } = await context.engine();
    const checks = await system.checkHost({ signal: context.signal });
    if (flags.json) context.io.out(`${toJson(checks, "  ")}\n`);
    else {
      const width = Math.max(0, ...checks.map(({ name }) => name.length));
      for (const { name, verdict, detail, remedy } of checks) {
        context.io.out(`${marks[verdict].padEnd(8)}  ${name.padEnd(width)}  ${detail}\n`);
        if (remedy !== undefined) context.io.out(`${" ".repeat(width + 12)}→ ${remedy}\n`);
      }
    }
    return checks.some(({ verdict }) => verdict === "missing") ? 1 : 0;
  },
});
