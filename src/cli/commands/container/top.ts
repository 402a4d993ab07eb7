import { defineCommand } from "../../command.ts";
import { alignTabs } from "../../output/tabs.ts";

export const command = defineCommand({
  summary: "List the processes of a container",
  usage: "CONTAINER [ps OPTIONS]",
  flags: {},
  interspersed: false,
  args: { min: 1, max: Infinity },
  async run(context, { args }) {
    const [name = "", ...psArguments] = args;
    const { containers } = await context.engine();
    const { titles, processes } = await containers.top(name, psArguments, { signal: context.signal });
    // Docker's own settings for this one table: cells at least 20 wide.
    context.io.out(alignTabs([titles, ...processes].map((cells) => `${cells.join("\t")}\n`).join(""), 20, 3));
    return 0;
  },
});
