import { defineCommand } from "../../command.ts";
import { forEachName, isNotFound } from "../shared/each.ts";
import { forceFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Remove networks that nobody uses",
  usage: "NETWORK [NETWORK...]",
  flags: { force: forceFlag("It is no failure if there is none of that name") },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { networks } = await context.engine();
    return forEachName(context, args, async (name) => {
      try {
        await networks.remove(name, { signal: context.signal });
        return true;
      } catch (error) {
        if (!flags.force || !isNotFound(error)) throw error;
        return false;
      }
    });
  },
});
