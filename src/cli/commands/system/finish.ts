import { defineCommand } from "../../command.ts";

/** What a container's monitor starts when the container has ended and nobody waits for it, or a sleeper when its restart is due. */
export const command = defineCommand({
  summary: "End a container that has ended, or start one whose restart is due",
  usage: "CONTAINER_ID",
  flags: {},
  args: { min: 1, max: 1 },
  async run(context, { args }) {
    const { system } = await context.engine();
    await system.finish(args[0] ?? "");
    return 0;
  },
});
