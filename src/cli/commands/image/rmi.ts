import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { isNotFound, tell } from "../shared/each.ts";
import { forceFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Remove images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: forceFlag("Remove it although it has several names or stopped containers use it"),
    "no-prune": bool("Keep its untagged parents"),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { images } = await context.engine();
    let failed = false;
    for (const name of args) {
      try {
        const removed = await images.remove(name, { force: flags.force, noPrune: flags["no-prune"], signal: context.signal });
        for (const { untagged, deleted } of removed) {
          if (untagged !== undefined) context.io.out(`Untagged: ${untagged}\n`);
          if (deleted !== undefined) context.io.out(`Deleted: ${deleted}\n`);
        }
      } catch (error) {
        // With force, an image that is not there is told of but is no failure.
        failed ||= !(flags.force && isNotFound(error));
        await tell(context, error);
      }
    }
    return failed ? 1 : 0;
  },
});
