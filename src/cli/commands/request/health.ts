import type { HealthRequest } from "../../../engine/request.ts";
import type { CreationValues } from "./flags.ts";

const durations = [
  ["health-interval", "intervalMs"],
  ["health-timeout", "timeoutMs"],
  ["health-start-period", "startPeriodMs"],
  ["health-start-interval", "startIntervalMs"],
] as const;

export function buildHealth(flags: CreationValues, problems: string[]): HealthRequest {
  const health: HealthRequest = {};
  if (flags["health-cmd"] !== undefined && flags["health-cmd"] !== "") health.test = ["CMD-SHELL", flags["health-cmd"]];
  for (const [flag, field] of durations) {
    const value = flags[flag];
    if (value === undefined || value === 0) continue;
    if (value < 0) problems.push(`--${flag} cannot be negative`);
    else if (value < 1) problems.push(`--${flag} cannot be less than 1ms`);
    health[field] = value;
  }
  const retries = flags["health-retries"];
  if (retries !== undefined && retries !== 0) {
    if (retries < 0) problems.push("--health-retries cannot be negative");
    health.retries = retries;
  }
  if (!flags["no-healthcheck"]) return health;
  if (Object.keys(health).length > 0) problems.push("--no-healthcheck conflicts with --health-* options");
  return { test: ["NONE"] };
}
