import { SampanError } from "../../base/errors.ts";
import type { EngineContext } from "../context.ts";
import { findTool, runTool } from "../host-tool.ts";

/** Whether nft is installed: without it no network of ours can be made. */
export function hasFilter(): boolean {
  return findTool("nft") !== undefined;
}

/** One transaction of nft(8): all of it or, with an exception, nothing. "" is nothing to do. */
export async function loadRules(context: EngineContext, text: string): Promise<void> {
  if (text === "") return;
  const nft = findTool("nft");
  if (nft === undefined) {
    throw new SampanError("unavailable", "Cannot set up the packet filter: nft is not installed", {
      hint: "Install it (apt install nftables), or run with --network none or --network host",
    });
  }
  const { code, stderr } = await runTool(context, nft, ["-f", "-"], text);
  if (code === 0) return;
  // nft repeats the offending line with a marker beneath; its first line says what it is about.
  const reason = /Error: (.*)/.exec(stderr)?.[1] ?? (stderr.trim() || `nft ended with ${code}`);
  const lacksModule = /not supported|No such file/.test(reason);
  throw new SampanError("unavailable", `Cannot set up the packet filter: ${reason}`, {
    ...(lacksModule
      ? { hint: "If the kernel lacks a part of nftables, load it (modprobe nf_tables nft_chain_nat nft_masq), or run with --network none or --network host" }
      : {}),
    code: /File exists/.test(stderr) ? "EEXIST" : /No such file/.test(stderr) ? "ENOENT" : undefined,
  });
}

/**
 * For what only takes away. A table that somebody flushed holds nothing. Where nft has been uninstalled a container can still end: its
 * elements stay in the kernel, and nobody else is given its addresses before they are gone, since every bridge has to be made ready
 * again, which begins with the whole table anew.
 */
export async function unloadRules(context: EngineContext, text: string): Promise<void> {
  if (text === "") return;
  if (!hasFilter()) {
    (await import("./bridge.ts")).forgetReady(context);
    return;
  }
  try {
    await loadRules(context, text);
  } catch (error) {
    if (!(error instanceof SampanError) || error.code !== "ENOENT") throw error;
  }
}
