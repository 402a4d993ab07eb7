import type { CommandContext } from "../../command.ts";

/** "WARNING! This will …": true once someone said yes. Anything else, the end of the input included, is no. */
export async function confirm({ io }: CommandContext, warning: string): Promise<boolean> {
  io.out(`${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = (await io.readLine())?.trim().toLowerCase();
  return answer === "y" || answer === "yes";
}

/** "Deleted Containers:\n…" with a blank line after it; nothing where nothing was deleted. */
export function deletedText(title: string, deleted: readonly string[]): string {
  return deleted.length === 0 ? "" : `${title}:\n${deleted.map((item) => `${item}\n`).join("")}\n`;
}
