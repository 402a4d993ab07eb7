import { defineCommand } from "../../command.ts";
import type { ContainerChange } from "../../../engine/api.ts";
import { type ListView, formatList } from "../../output/list.ts";
import { formatFlag } from "../shared/flags.ts";

const view: ListView<ContainerChange> = {
  titles: { Type: "CHANGE TYPE", Path: "PATH" },
  table: "{{.Type}}\t{{.Path}}",
  quiet: "Path",
  fields: ({ kind, path }) => ({ Type: () => kind, Path: () => path }),
};

export const command = defineCommand({
  summary: "List what a container has added (A), changed (C) and deleted (D)",
  usage: "CONTAINER",
  flags: { format: formatFlag() },
  args: { min: 1, max: 1 },
  async run(context, { flags, args }) {
    const { containers } = await context.engine();
    const changes = await containers.diff(args[0] ?? "", { signal: context.signal });
    context.io.out(flags.format === undefined ? changes.map(({ kind, path }) => `${kind} ${path}\n`).join("") : formatList(view, changes, flags));
    return 0;
  },
});
