import { SampanError } from "../../../base/errors.ts";
import { untilAborted } from "../../../base/until-aborted.ts";
import { defineCommand } from "../../command.ts";
import { bool } from "../../flags/flag.ts";
import { humanSize } from "../../output/human.ts";

/** "web:/etc" → container and path; a path that starts with "/" or "." is always of this side. */
function splitCopyArgument(text: string): { readonly container: string | undefined; readonly path: string } {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon <= 0) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

export const command = defineCommand({
  summary: "Copy files between a container and this machine",
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        sampan cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  description: 'A path of "-" is a tar stream on standard input or output.',
  flags: {
    archive: bool("Keep owners", { short: "a" }),
    "follow-link": bool("Copy what a symbolic link points at", { short: "L" }),
    quiet: bool("Do not say how much was copied", { short: "q" }),
  },
  args: { min: 2, max: 2 },
  async run(context, { flags, args }) {
    const { io } = context;
    // An empty word is most likely a variable that was never set, and would be the current directory.
    for (const [i, word] of ["source", "destination"].entries()) if (args[i] === "") throw new SampanError("invalid", `${word} can not be empty`);
    const source = splitCopyArgument(args[0] ?? "");
    const target = splitCopyArgument(args[1] ?? "");
    if (source.container === undefined && target.container === undefined) throw new SampanError("invalid", "must specify at least one container source");
    if (source.container !== undefined && target.container !== undefined) throw new SampanError("unsupported", "copying between containers is not supported");
    for (const { container, path } of [source, target])
      if (container !== undefined && path === "") throw new SampanError("invalid", `no path in container ${JSON.stringify(container)} was given`);
    const options = { archive: flags.archive, followLink: flags["follow-link"], signal: context.signal };
    // As Docker: nobody reads it in a script.
    const quiet = flags.quiet || !io.isTerminal(1);
    const { containers } = await context.engine();
    if (source.container !== undefined) {
      if (target.path === "-") {
        if (io.isTerminal(1)) throw new SampanError("invalid", "cowardly refusing to copy to a terminal. Redirect standard output");
        await containers.copyFrom(source.container, source.path, { write: (chunk) => io.out(chunk) }, options);
        return 0;
      }
      const { bytes } = await containers.copyFrom(source.container, source.path, { path: target.path }, options);
      if (!quiet) io.err(`Successfully copied ${humanSize(bytes, 3)} to ${target.path}\n`);
      return 0;
    }
    const from = source.path === "-" ? { archive: untilAborted(io.input(), context.signal) } : { path: source.path };
    const { bytes } = await containers.copyTo(target.container ?? "", from, target.path, options);
    if (!quiet) io.err(`Successfully copied ${humanSize(bytes, 3)} to ${target.container ?? ""}:${target.path}\n`);
    return 0;
  },
});
