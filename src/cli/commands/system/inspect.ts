import { SampanError } from "../../../base/errors.ts";
import type { Engine } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool, string } from "../../flags/flag.ts";
import { isNotFound } from "../shared/each.ts";
import { inspectFormatFlag } from "../shared/flags.ts";
import { inspectAll } from "../shared/inspect.ts";

const kinds = ["container", "image", "network", "volume"] as const;
type Kind = (typeof kinds)[number];

/** Throws with exit code 1, as Docker, which looks at it after the flags. */
function parseKind(text: string): Kind {
  const kind = kinds.find((one) => one === text);
  if (kind === undefined) throw new SampanError("invalid", `${JSON.stringify(text)} is not a valid value for --type`, { exitCode: 1 });
  return kind;
}

function inspectKind(engine: Engine, kind: Kind, name: string, size: boolean, signal: AbortSignal): Promise<unknown> {
  switch (kind) {
    case "container":
      return engine.containers.inspect(name, { size, signal });
    case "image":
      return engine.images.inspect(name, { signal });
    case "network":
      return engine.networks.inspect(name, { signal });
    case "volume":
      return engine.volumes.inspect(name, { signal });
  }
}

export const command = defineCommand({
  summary: "Print everything about containers, images, networks or volumes",
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  examples: [["sampan inspect -f '{{.State.OOMKilled}}' web", "One field of one container"]],
  flags: {
    format: inspectFormatFlag("f"),
    size: bool("Work out the sizes of containers too", { short: "s" }),
    type: string("Only of this kind: container, image, network, volume"),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const wanted = flags.type === undefined ? kinds : [parseKind(flags.type)];
    const engine = await context.engine();
    return inspectAll(context, args, flags.format, async (name) => {
      for (const kind of wanted) {
        try {
          return await inspectKind(engine, kind, name, flags.size, context.signal);
        } catch (error) {
          if (!isNotFound(error) || flags.type !== undefined) throw error;
        }
      }
      throw new SampanError("not-found", `No such object: ${name}`);
    });
  },
});
