import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  summary: "Forget the credentials for a registry",
  usage: "[SERVER]",
  flags: {},
  args: { min: 0, max: 1 },
  async run(context, { args }) {
    const { registries } = await context.engine();
    context.io.out(`${await registries.logout(args[0] ?? "https://index.docker.io/v1/", { signal: context.signal })}\n`);
    return 0;
  },
});
