import { SampanError } from "../../../base/errors.ts";
import { parseReference } from "../../../oci/reference.ts";
import { defineCommand } from "../../command.ts";
import { bool, string } from "../../flags/flag.ts";
import { progressOn } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Upload an image to a registry",
  usage: "[OPTIONS] NAME[:TAG]",
  flags: {
    "all-tags": bool("Every tag of the repository", { short: "a" }),
    platform: string("Choose a platform: os[/arch[/variant]]"),
    quiet: bool("Print the image's name alone", { short: "q" }),
    "tls-verify": bool("Check the registry's certificate; false allows plain HTTP too", { initial: true, shownDefault: "true" }),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, given, args }) {
    const { io } = context;
    const name = args[0] ?? "";
    if (flags["all-tags"] && /:[^/]*$/.test(name)) throw new SampanError("invalid", "tag can't be used with --all-tags/-a");
    const { tag, digest } = parseReference(name);
    if (!flags["all-tags"] && tag === undefined && digest === undefined && !flags.quiet) io.out("Using default tag: latest\n");
    const { images } = await context.engine();
    const progress = progressOn(io, 1, flags.quiet);
    const pushed = await images.push(name, {
      allTags: flags["all-tags"],
      platform: flags.platform,
      tlsVerify: given.has("tls-verify") ? flags["tls-verify"] : undefined,
      onProgress: progress.onProgress,
      signal: context.signal,
    });
    progress.finish();
    for (const { reference, digest, sizeBytes } of pushed) {
      const tag = reference.slice(reference.lastIndexOf(":") + 1);
      io.out(flags.quiet ? `${reference}\n` : `${tag}: digest: ${digest} size: ${sizeBytes}\n`);
    }
    return 0;
  },
});
