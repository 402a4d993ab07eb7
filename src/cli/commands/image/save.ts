import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { commaList, string } from "../../flags/flag.ts";
import { writeStream } from "../shared/streams.ts";

const FORMATS: Readonly<Record<string, "docker" | "oci" | "directory">> = { "docker-archive": "docker", "oci-archive": "oci", "oci-dir": "directory" };

export const command = defineCommand({
  summary: "Write images to an archive",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  examples: [
    ["sampan save -o images.tar debian:12 nginx", "For `docker load`, `podman load` and `sampan load`"],
    ["sampan save --format oci-dir -o layout nginx", "As an OCI image layout"],
  ],
  flags: {
    format: string("docker-archive, oci-archive, or oci-dir: a directory, named with -o", { shownDefault: "docker-archive" }),
    output: string("Write to a file instead of standard output", { short: "o" }),
    platform: commaList("Only these platforms: os[/arch[/variant]]"),
  },
  args: { min: 1, max: Infinity },
  async run(context, { flags, args }) {
    const format = FORMATS[flags.format ?? "docker-archive"];
    if (format === undefined)
      throw new SampanError("invalid", `unknown format ${JSON.stringify(flags.format)}: it is one of ${Object.keys(FORMATS).join(", ")}`);
    const { images } = await context.engine();
    const options = { platforms: flags.platform.length === 0 ? undefined : flags.platform, signal: context.signal };
    if (format !== "directory") {
      await writeStream(context.io, flags.output, images.save(args, { ...options, format }));
      return 0;
    }
    if (flags.output === undefined) throw new SampanError("invalid", "oci-dir is a directory: name it with -o");
    await images.saveDirectory(args, flags.output, options);
    return 0;
  },
});
