import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { forEachName, isNotFound, tell } from "../shared/each.ts";
import { forceFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Remove containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    force: forceFlag("Kill it first if it runs"),
    volumes: bool("Remove its anonymous volumes too", { short: "v" }),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    return forEachName(context, args, async (asked) => {
      const name = asked.replace(/^\/+|\/+$/g, "");
      if (name === "") throw new SampanError("invalid", "container name cannot be empty");
      try {
        await containers.remove(name, { force: flags.force, volumes: flags.volumes, signal: context.signal });
      } catch (error) {
        // With force, what is not there is as good as removed: it is told, and does not count.
        if (!flags.force || !isNotFound(error)) throw error;
        await tell(context, error);
        return false;
      }
      return true;
    });
  },
});
