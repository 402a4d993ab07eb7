import { defineCommand } from "../../command.ts";

/** What a container's monitor starts when its health check has said something else than before. */
export const command = defineCommand({
  summary: "Note that a container's health may have changed",
  usage: "CONTAINER_ID",
  flags: {},
  args: { min: 1, max: 1 },
  async run(context, { args }) {
    const { system } = await context.engine();
    await system.noteHealth(args[0] ?? "");
    return 0;
  },
});
