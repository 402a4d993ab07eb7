import { defineCommand } from "../../command.ts";
import { forceFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Disconnect a container from a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: { force: forceFlag("As Docker has it; a container is taken off whatever it is doing") },
  args: { min: 2, max: 2 },
  async run(context, { flags, args }) {
    const [network = "", container = ""] = args;
    const { networks } = await context.engine();
    await networks.disconnect(container, network, { force: flags.force, signal: context.signal });
    return 0;
  },
});
