import { SampanError } from "../../../base/errors.ts";
import { familiarReference, formatReference, parseReference } from "../../../oci/reference.ts";
import { defineCommand } from "../../command.ts";
import { bool, string } from "../../flags/flag.ts";
import { progressOn } from "../shared/streams.ts";

export const command = defineCommand({
  summary: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  examples: [["sampan pull debian:12-slim", "From Docker Hub"], ["sampan pull localhost:5000/app", "From a registry on this machine, over plain HTTP"]],
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
    if (flags["all-tags"] && /(@|:[^/]*$)/.test(name)) throw new SampanError("invalid", "tag can't be used with --all-tags/-a");
    const { tag, digest } = parseReference(name);
    if (!flags["all-tags"] && tag === undefined && digest === undefined && !flags.quiet) io.out("Using default tag: latest\n");
    const { images } = await context.engine();
    const progress = progressOn(io, 1, flags.quiet);
    const pulled = await images.pull(name, {
      allTags: flags["all-tags"],
      platform: flags.platform,
      tlsVerify: given.has("tls-verify") ? flags["tls-verify"] : undefined,
      onProgress: progress.onProgress,
      signal: context.signal,
    });
    progress.finish();
    // As Docker: all tags of a repository are one result.
    const results = flags["all-tags"] ? [{ reference: formatReference(parseReference(name)), changed: pulled.some(({ changed }) => changed) }] : pulled;
    for (const { reference, changed } of results) {
      if (!flags.quiet) io.out(`Status: ${changed ? "Downloaded newer image" : "Image is up to date"} for ${familiarReference(parseReference(reference))}\n`);
      io.out(`${reference}\n`);
    }
    return 0;
  },
});
