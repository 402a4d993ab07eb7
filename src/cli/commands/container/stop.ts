import { defineCommand } from "../../command.ts";
import { int, string } from "../../flags/flag.ts";
import { forEachName } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Ask containers to stop, and kill those that do not",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    signal: string("The signal that asks it to stop", { short: "s" }),
    timeout: int("Seconds to wait before it is killed; -1 to wait for ever", { short: "t", aliases: ["time"], min: -1 }),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    const options = { stopSignal: flags.signal, timeoutSeconds: flags.timeout, signal: context.signal };
    return forEachName(context, args, (name) => containers.stop(name, options));
  },
});
