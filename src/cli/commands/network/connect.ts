import type { NetworkAttachment } from "../../../engine/request.ts";
import { defineCommand } from "../../command.ts";
import { commaList, many, one } from "../../flags/flag.ts";

export const command = defineCommand({
  summary: "Connect a container to a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: commaList("Another name for it on the network"),
    // Addresses are looked at by the engine, as Docker leaves them to its daemon: the exit code is that of a failed command.
    ip: one("ip", asGiven, "Its IPv4 address"),
    ip6: one("ip", asGiven, "Its IPv6 address"),
    "link-local-ip": many("ip", asGiven, "A link-local address for it"),
  },
  args: { min: 2, max: 2 },
  async run(context, { flags, args }) {
    const [network = "", container = ""] = args;
    const attachment: NetworkAttachment = { network, aliases: [...flags.alias] };
    if (flags.ip !== undefined) attachment.ipv4 = flags.ip;
    if (flags.ip6 !== undefined) attachment.ipv6 = flags.ip6;
    if (flags["link-local-ip"].length > 0) attachment.linkLocalIps = [...flags["link-local-ip"]];
    const { networks } = await context.engine();
    await networks.connect(container, attachment, { signal: context.signal });
    return 0;
  },
});

function asGiven(text: string): string {
  return text;
}
