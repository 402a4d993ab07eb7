import { SampanError } from "../../base/errors.ts";
import { spawnProcess } from "../../plan/spawn.ts";
import type { ForeignCompression } from "../../storage/compression/index.ts";
import { findTool } from "../host-tool.ts";

/** The Debian packages that the tools are in. */
const PACKAGES: Readonly<Record<ForeignCompression, string>> = { xz: "xz-utils", bzip2: "bzip2" };
/** More than any preset of xz(1) wants; what wants more is not a root filesystem. */
const XZ_MEMORY = "--memlimit-decompress=1GiB";

/**
 * What is compressed with xz or bzip2, by the host's own tools, as Docker does it: neither Bun nor Node can, and only archives that people
 * bring, never layers of a registry, come here. Throws `unsupported` where the tool is missing, `invalid` for what it refuses.
 */
export async function* decompressOnHost(compression: ForeignCompression, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const tool = findTool(compression);
  if (tool === undefined)
    throw new SampanError("unsupported", `Cannot decompress: there is no ${compression} on this machine`, {
      code: "COMPRESSION",
      hint: `install ${PACKAGES[compression]}, or recompress it with gzip or zstd`,
    });
  const child = await spawnProcess(tool, compression === "xz" ? ["-dc", XZ_MEMORY] : ["-dc"], { stdio: ["pipe", "pipe", "ignore"], env: { LC_ALL: "C" } });
  const { input } = child;
  const output = child.output(1);
  if (input === undefined || output === undefined) throw new SampanError("internal", `Cannot decompress: ${tool} has no pipes`);
  let sourceFailure: { error: unknown } | undefined;
  let isWanted = true;
  const feeding = (async () => {
    const chunks = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        let next;
        try {
          next = await chunks.next();
        } catch (error) {
          sourceFailure = { error };
          child.kill(9);
          return;
        }
        if (next.done === true || !isWanted) break;
        // A tool that has ended reads no more; its exit code says why.
        if (!(await input.write(next.value).then(() => true, () => false))) break;
      }
      input.end();
    } finally {
      await chunks.return?.();
    }
  })();
  try {
    yield* output;
    await feeding;
    const code = await child.exited;
    if (sourceFailure !== undefined) throw sourceFailure.error;
    if (code !== 0) throw new SampanError("invalid", `Cannot decompress: the ${compression} data is corrupt or ends too early`, { code: "CORRUPT" });
  } finally {
    isWanted = false;
    child.kill(9);
    await child.exited;
    await feeding;
  }
}
