import { ProblemsError, SampanError } from "../../../base/errors.ts";
import { updateProblems } from "../../../engine/request-rules.ts";
import { defineCommand } from "../../command.ts";
import { resourceFlags } from "../request/resource-flags.ts";
import { buildResources } from "../request/resources.ts";
import { forEachName } from "../shared/each.ts";

export const command = defineCommand({
  summary: "Change the limits or the restart policy of containers, while they run",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: resourceFlags,
  args: { min: 1, max: Infinity },
  async run(context, { flags, given, args, path }) {
    const hint = `See 'sampan ${path} --help'.`;
    if (given.size === 0) throw new SampanError("invalid", "you must provide one or more flags when using this command", { hint });
    const problems: string[] = [];
    const resources = buildResources(flags, problems);
    if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 125, hint });
    const contradictions = updateProblems(resources);
    if (contradictions.length > 0) throw new ProblemsError(contradictions, { exitCode: 1, hint });
    const { containers } = await context.engine();
    return forEachName(context, args, async (name) => {
      const { warnings } = await containers.update(name, { resources, restart: flags.restart }, { signal: context.signal });
      for (const warning of warnings) context.io.err(`WARNING: ${warning}\n`);
    });
  },
});
