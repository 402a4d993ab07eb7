import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  summary: "Give an image another name",
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  interspersed: false,
  args: { min: 2, max: 2 },
  async run(context, { args }) {
    const { images } = await context.engine();
    await images.tag(args[0] ?? "", args[1] ?? "", { signal: context.signal });
    return 0;
  },
});
