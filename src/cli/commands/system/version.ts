import { defineCommand } from "../../command.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

export const command = defineCommand({
  summary: "Print the version",
  usage: "[OPTIONS]",
  flags: { format: inspectFormatFlag("f") },
  args: { min: 0, max: 0 },
  async run({ io }, { flags }) {
    const { version } = await import("../../version.ts");
    const bun = process.versions["bun"];
    const runtime = bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
    const arch = process.arch === "x64" ? "amd64" : process.arch;
    if (flags.format === undefined || flags.format === "") {
      io.out(`Sampan ${version}\n Runtime:  ${runtime}\n OS/Arch:  linux/${arch}\n`);
      return 0;
    }
    const { formatOne } = await import("../../output/inspect.ts");
    // There is no daemon: client and server are one program, and scripts ask for either.
    const side = { Version: version, Os: "linux", Arch: arch, Runtime: runtime };
    io.out(formatOne(flags.format, { Client: side, Server: side }));
    return 0;
  },
});
