import type { NetworkAttachment } from "../../../engine/request.ts";
import { defineCommand } from "../../command.ts";
import { commaList, many, one } from "../../flags/flag.ts";
import { parseIp, parseIpv4, parseIpv6 } from "../../parse/address.ts";

export const command = defineCommand({
  summary: "Connect a container to a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: commaList("Another name for it on the network"),
    ip: one("ip", parseIpv4, "Its IPv4 address"),
    ip6: one("ip", parseIpv6, "Its IPv6 address"),
    "link-local-ip": many("ip", parseIp, "A link-local address for it"),
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
