import { defineCommand } from "../../command.ts";
import { forEachName, isNotFound } from "../shared/each.ts";
import { forceFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Remove volumes that no container uses",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { force: forceFlag("It is no failure if there is none of that name") },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { volumes } = await context.engine();
    return forEachName(context, args, async (name) => {
      try {
        await volumes.remove(name, { force: flags.force, signal: context.signal });
      } catch (error) {
        if (!flags.force || !isNotFound(error)) throw error;
      }
    });
  },
});
