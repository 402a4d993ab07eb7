import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  summary: "Write the packet filter's rules anew, after somebody flushed them",
  usage: "",
  flags: {},
  args: { min: 0, max: 0 },
  async run(context) {
    const { networks } = await context.engine();
    const { warnings } = await networks.reload({ signal: context.signal });
    for (const warning of warnings) context.io.err(`WARNING: ${warning}\n`);
    return 0;
  },
});
