import { SampanError } from "../../../base/errors.ts";
import type { CommandContext } from "../../command.ts";

/** How many are at it at once, as in Docker. */
const AT_ONCE = 50;

/**
 * Does one thing to each name, many at once, and prints in the order of the names those where it is done; `false` is "not worth telling".
 * One failure does not keep the others from being tried: each is told, and the exit code is 1 if there was any.
 */
export async function forEachName(context: CommandContext, names: readonly string[], act: (name: string) => Promise<unknown>): Promise<number> {
  let failed = false;
  for (let first = 0; first < names.length; first += AT_ONCE) {
    const batch = names.slice(first, first + AT_ONCE);
    const results = await Promise.allSettled(batch.map(async (name) => ((await act(name)) === false ? "" : `${name}\n`)));
    for (const result of results) {
      if (result.status === "fulfilled") {
        if (result.value !== "") context.io.out(result.value);
        continue;
      }
      failed = true;
      await tell(context, result.reason);
      // Whoever pressed Ctrl-C does not want the next ones begun.
      if (result.reason instanceof SampanError && result.reason.kind === "cancelled") return 130;
    }
  }
  return failed ? 1 : 0;
}

/** An error that does not end the command. */
export async function tell(context: CommandContext, error: unknown): Promise<void> {
  const { formatError } = await import("../../output/errors.ts");
  context.io.err(formatError(error, { debug: context.debug }));
}

export function isNotFound(error: unknown): boolean {
  return error instanceof SampanError && error.kind === "not-found";
}
