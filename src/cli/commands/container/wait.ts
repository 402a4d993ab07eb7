import { defineCommand } from "../../command.ts";
import { tell } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Wait until containers have ended, and print their exit codes",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1, max: Infinity },
  async run(context, { args }) {
    const { containers } = await context.engine();
    let failed = false;
    for (const name of args) {
      try {
        context.io.out(`${await containers.wait(name, { signal: context.signal })}\n`);
      } catch (error) {
        if (context.signal.aborted) throw error;
        failed = true;
        await tell(context, error);
      }
    }
    return failed ? 1 : 0;
  },
});
