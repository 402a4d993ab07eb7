import { defineCommand } from "../../command.ts";

/** What a monitor starts when its container, or a command in it, has ended and nobody waits for it, or a sleeper when its restart is due. */
export const command = defineCommand({
  summary: "End a container that has ended, or start one whose restart is due",
  usage: "CONTAINER_ID [EXEC_ID]",
  flags: {},
  args: { min: 1, max: 2 },
  async run(context, { args }) {
    const { system } = await context.engine();
    await system.finish(args[0] ?? "", args[1]);
    return 0;
  },
});
