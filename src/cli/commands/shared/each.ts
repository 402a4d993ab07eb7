import { SampanError } from "../../../base/errors.ts";
import type { CommandContext } from "../../command.ts";

/**
 * Does one thing to each name, in turn, and prints the name when it is done. One failure does not keep the others from being
 * tried: each is told, and the exit code is 1 if there was any.
 */
export async function forEachName(context: CommandContext, names: readonly string[], act: (name: string) => Promise<void>): Promise<number> {
  let failed = false;
  for (const name of names) {
    try {
      await act(name);
      context.io.out(`${name}\n`);
    } catch (error) {
      failed = true;
      await tell(context, error);
      // Whoever pressed Ctrl-C does not want the next one begun.
      if (error instanceof SampanError && error.kind === "cancelled") return 130;
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
