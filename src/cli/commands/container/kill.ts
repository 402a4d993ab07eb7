import { defineCommand } from "../../command.ts";
import { string } from "../../flags/flag.ts";
import { forEachName } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Send a signal to containers, SIGKILL unless another is asked for",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: string("The signal to send", { short: "s", shownDefault: '"SIGKILL"' }) },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    // An empty one is none, as Docker's daemon has it.
    const killSignal = flags.signal === undefined || flags.signal === "" ? "SIGKILL" : flags.signal;
    return forEachName(context, args, (name) => containers.kill(name, { killSignal, signal: context.signal }));
  },
});
