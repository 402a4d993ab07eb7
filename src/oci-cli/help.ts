import type { Command } from "./commands.ts";

/** The list of commands with their usage. */
export async function helpText(table: Readonly<Record<string, () => Promise<{ readonly command: Command }>>>): Promise<string> {
  const lines = [
    "An OCI runtime: containers for other engines",
    "",
    "Usage: sampan-oci [--root DIR] [--log FILE] [--log-format text|json] [--debug] [--systemd-cgroup] COMMAND",
    "",
    "Commands:",
  ];
  for (const [name, load] of Object.entries(table)) {
    const { command } = await load();
    lines.push(`  ${`${name} ${command.usage}`}`, `      ${command.summary}`);
  }
  return `${lines.join("\n")}\n`;
}
