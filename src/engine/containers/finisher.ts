import type { EngineContext } from "../context.ts";

/** What a monitor starts when its container, or the command in it that it watches, has ended and nobody waits. */
export function finisher({ options, paths }: EngineContext, ...ids: readonly string[]): string[] {
  return [...options.command, "--root", paths.root, "--state", paths.state, "system", "finish", ...ids];
}

export const FINISHER_ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
