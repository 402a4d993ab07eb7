import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { humanSize } from "../../output/human.ts";
import { collectFilters } from "../../parse/filter.ts";
import { removalLines } from "../image/removal.ts";
import { filterFlag, forceFlag } from "../shared/flags.ts";
import { confirm, deletedText } from "../shared/prune.ts";

export const command = defineCommand({
  summary: "Remove all that nobody uses: containers, networks, images, and volumes if asked",
  usage: "[OPTIONS]",
  flags: {
    all: bool("Every image without a container, not only those without a name", { short: "a" }),
    filter: filterFlag("until=24h, label=KEY[=VALUE], label!=KEY"),
    force: forceFlag("Do not ask"),
    volumes: bool("Anonymous volumes too"),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { io, signal } = context;
    const filters = collectFilters(flags.filter);
    if (flags.volumes && filters["until"] !== undefined) throw new SampanError("invalid", `The "until" filter is not supported with "--volumes"`);
    const lines = [
      "all stopped containers",
      "all networks not used by at least one container",
      ...(flags.volumes ? ["all anonymous volumes not used by at least one container"] : []),
      flags.all ? "all images without at least one container associated to them" : "all dangling images",
    ];
    if (!flags.force && !(await confirm(context, `WARNING! This will remove:\n${lines.map((line) => `  - ${line}\n`).join("")}`))) return 1;
    const engine = await context.engine();
    // Containers first: they hold on to all the others.
    const containers = await engine.containers.prune({ filters, signal });
    io.out(deletedText("Deleted Containers", containers.deleted));
    const networks = await engine.networks.prune({ filters, signal });
    io.out(deletedText("Deleted Networks", networks.deleted));
    const volumes = flags.volumes ? await engine.volumes.prune({ all: false, filters, signal }) : { deleted: [], reclaimedBytes: 0 };
    io.out(deletedText("Deleted Volumes", volumes.deleted));
    const images = await engine.images.prune({ all: flags.all, filters, signal });
    io.out(deletedText("Deleted Images", removalLines(images.removed)));
    const garbage = await engine.system.collect({ signal });
    const reclaimedBytes = [garbage, containers, networks, volumes, images].reduce((sum, each) => sum + each.reclaimedBytes, 0);
    io.out(`Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
    return 0;
  },
});
