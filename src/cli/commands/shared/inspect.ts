import type { CommandContext } from "../../command.ts";
import { inspectPrinter } from "../../output/inspect.ts";
import { tell } from "./each.ts";

/** Looks each name up and prints what was found; those that were not found are told, and the exit code is 1. */
export async function inspectAll(context: CommandContext, names: readonly string[], format: string | undefined, find: (name: string) => Promise<unknown>): Promise<number> {
  const print = inspectPrinter(format);
  const found: unknown[] = [];
  const errors: unknown[] = [];
  for (const name of names) {
    try {
      found.push(await find(name));
    } catch (error) {
      errors.push(error);
    }
  }
  context.io.out(print(found));
  for (const error of errors) await tell(context, error);
  return errors.length === 0 ? 0 : 1;
}
