import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  summary: "Start the containers that should run after a reboot",
  usage: "",
  description: "For a service of the init system; restart policies say which containers those are.",
  flags: {},
  args: { min: 0, max: 0 },
  async run(context) {
    const { system } = await context.engine();
    const { started, failed } = await system.boot({ signal: context.signal });
    for (const name of started) context.io.out(`${name}\n`);
    for (const { name, reason } of failed) context.io.err(`sampan: Cannot start container "${name}": ${reason}\n`);
    return failed.length === 0 ? 0 : 1;
  },
});
