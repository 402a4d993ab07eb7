import type { CommandContext } from "../../command.ts";
import { createInspector } from "../../output/inspect.ts";
import { tell } from "./each.ts";

/** Looks each name up and prints what was found; what was not, or does not fit the format, is told, and the exit code is 1. */
export async function inspectAll(
  context: CommandContext,
  names: readonly string[],
  format: string | undefined,
  find: (name: string) => Promise<unknown>,
): Promise<number> {
  const inspector = createInspector(format);
  const errors: unknown[] = [];
  for (const name of names) {
    try {
      inspector.add(await find(name));
    } catch (error) {
      errors.push(error);
    }
  }
  context.io.out(inspector.text());
  for (const error of errors) await tell(context, error);
  return errors.length === 0 ? 0 : 1;
}
