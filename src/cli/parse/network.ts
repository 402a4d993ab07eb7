import type { NetworkAttachment } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";
import { parseIp, parseIpv4, parseIpv6, parseMac } from "./address.ts";
import { parseCsvLine } from "./csv.ts";
import { cutAtEquals } from "./key-value.ts";

/** `--network NAME` or `--network name=NAME,alias=A,ip=…,ip6=…,mac-address=…,link-local-ip=…`. */
export function parseNetwork(text: string): NetworkAttachment {
  if (!/^\w[\w-]*=/.test(text)) return text === "" ? refuse("network name/id is not specified") : { network: text, aliases: [] };
  const attachment: NetworkAttachment = { network: "", aliases: [] };
  for (const field of parseCsvLine(text)) {
    const [rawKey, rawValue] = cutAtEquals(field);
    if (rawValue === undefined || rawKey === "") return refuse(`invalid field ${field}`);
    const value = rawValue.trim();
    switch (rawKey.trim().toLowerCase()) {
      case "name":
        attachment.network = value;
        break;
      case "alias":
        attachment.aliases.push(value);
        break;
      case "ip":
        attachment.ipv4 = parseIpv4(value);
        break;
      case "ip6":
        attachment.ipv6 = parseIpv6(value);
        break;
      case "mac-address":
        attachment.macAddress = parseMac(value);
        break;
      case "link-local-ip":
        (attachment.linkLocalIps ??= []).push(parseIp(value));
        break;
      default:
        return refuse(`invalid field key ${rawKey}`);
    }
  }
  return attachment.network === "" ? refuse("network name/id is not specified") : attachment;
}

/** False for the models that are no network of their own, where aliases and addresses mean nothing. */
export function isUserDefinedNetwork(network: string): boolean {
  return !["default", "bridge", "host", "none"].includes(network) && !network.startsWith("container:");
}
