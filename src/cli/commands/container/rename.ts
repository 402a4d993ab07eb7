import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { parseContainerName } from "../../parse/container-name.ts";

export const command = defineCommand({
  summary: "Give a container another name",
  usage: "CONTAINER NEW_NAME",
  flags: {},
  args: { min: 2, max: 2 },
  async run(context, { args }) {
    const [name = ""] = args;
    const newName = parseContainerName(args[1] ?? "");
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(newName)) {
      throw new SampanError("invalid", `Invalid container name (${newName}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const { containers } = await context.engine();
    await containers.rename(name, newName, { signal: context.signal });
    return 0;
  },
});
