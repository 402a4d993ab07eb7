import { defineCommand } from "../../command.ts";
import { forEachName } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Thaw every process of containers",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  args: { min: 1, max: Infinity },
  async run(context, { args }) {
    const { containers } = await context.engine();
    return forEachName(context, args, (name) => containers.unpause(name, { signal: context.signal }));
  },
});
