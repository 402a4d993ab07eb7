import { ProblemsError, messageOf } from "../../../base/errors.ts";
import type { SubnetRequest } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bool, many, string } from "../../flags/flag.ts";
import { ipVersion, parseCidr, parseIp } from "../../parse/address.ts";
import { pairsToRecord, parseLabel, parsePair } from "../../parse/key-value.ts";

export const command = defineCommand({
  summary: "Make a network",
  usage: "[OPTIONS] NETWORK",
  examples: [["sampan network create --subnet 10.10.0.0/24 back", "A bridge with addresses of your choice"]],
  flags: {
    attachable: bool("Mark it as one that may be attached to; every network may"),
    "aux-address": many("map", parsePair, "Never give this address of the subnet to a container: NAME=ADDRESS"),
    driver: string("How it is made: bridge", { short: "d", singleDash: ["driver"], shownDefault: '"bridge"' }),
    gateway: many("ip", asGiven, "The host's address in the subnet"),
    internal: bool("Give it no way out"),
    "ip-range": many("cidr", asGiven, "Take containers' addresses from this part of the subnet"),
    ipv6: bool("Give it IPv6 addresses too"),
    label: many("list", parseLabel, "Set a label"),
    opt: many("map", parsePair, "Set an option of the driver", { short: "o" }),
    subnet: many("cidr", asGiven, "Its addresses, as 10.10.0.0/24", { singleDash: ["subnet"] }),
  },
  args: { min: 1, max: 1 },
  async run(context, { flags, args, path }) {
    const aux = pairsToRecord(flags["aux-address"]);
    // Not as flags are refused: Docker leaves these to its daemon, and the exit code is that of a failed command.
    const problems = [
      ...notParsed(flags.subnet, parseCidr),
      ...notParsed(flags["ip-range"], parseCidr),
      ...notParsed(flags.gateway, parseIp),
      ...notParsed(Object.values(aux), parseIp),
    ];
    if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 1 });
    const { networks } = await context.engine();
    const { id, warnings } = await networks.create(
      {
        name: args[0] ?? "",
        driver: flags.driver === undefined || flags.driver === "" ? "bridge" : flags.driver,
        internal: flags.internal,
        ipv6: flags.ipv6,
        attachable: flags.attachable,
        subnets: pairSubnets({ subnets: flags.subnet, gateways: flags.gateway, ranges: flags["ip-range"], aux }, path),
        options: pairsToRecord(flags.opt),
        labels: pairsToRecord(flags.label),
      },
      { signal: context.signal },
    );
    for (const warning of warnings) context.io.err(`WARNING: ${warning}\n`);
    context.io.out(`${id}\n`);
    return 0;
  },
});

function asGiven(text: string): string {
  return text;
}

/** What is wrong with each text that the parser refuses. */
function notParsed(texts: readonly string[], parse: (text: string) => unknown): string[] {
  return texts.flatMap((text) => {
    try {
      parse(text);
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
}

/** Each gateway, range and auxiliary address goes to the subnet that holds it. Throws ProblemsError for one without a subnet. */
function pairSubnets(
  flags: { subnets: readonly string[]; gateways: readonly string[]; ranges: readonly string[]; aux: Readonly<Record<string, string>> },
  path: string,
): SubnetRequest[] {
  const problems: string[] = [];
  const paired = flags.subnets.map((subnet): { subnet: string; gateway?: string; ipRange?: string; auxAddresses?: Record<string, string> } => ({ subnet }));
  const homeOf = (address: string, what: string, text: string): (typeof paired)[number] | undefined => {
    const home = paired.find(({ subnet }) => contains(subnet, address));
    if (home === undefined)
      problems.push(paired.length === 0 ? "every ip-range or gateway must have a corresponding subnet" : `no matching subnet for ${what} ${text}`);
    return home;
  };
  const place = (address: string, what: string, field: "gateway" | "ipRange", text: string): void => {
    const home = homeOf(address, what, text);
    if (home === undefined) return;
    if (home[field] !== undefined) problems.push(`cannot configure multiple ${what}s (${text}, ${home[field]}) for the same subnet (${home.subnet})`);
    else home[field] = text;
  };
  for (const gateway of flags.gateways) place(gateway, "gateway", "gateway", gateway);
  for (const range of flags.ranges) place(range.slice(0, range.lastIndexOf("/")), "range", "ipRange", range);
  for (const [name, address] of Object.entries(flags.aux)) {
    const home = homeOf(address, "aux-address", address);
    if (home !== undefined) home.auxAddresses = { ...home.auxAddresses, [name]: address };
  }
  if (problems.length > 0) throw new ProblemsError([...new Set(problems)], { exitCode: 1, hint: `See 'sampan ${path} --help'.` });
  return paired;
}

function contains(subnet: string, address: string): boolean {
  const slash = subnet.lastIndexOf("/");
  const base = subnet.slice(0, slash);
  if (ipVersion(base) !== ipVersion(address)) return false;
  const width = ipVersion(base) === 4 ? 32n : 128n;
  const shift = width - BigInt(subnet.slice(slash + 1));
  return addressBits(base) >> shift === addressBits(address) >> shift;
}

function addressBits(address: string): bigint {
  if (ipVersion(address) === 4) return address.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
  const tail = /^(.*:)([0-9.]+)$/.exec(address);
  if (tail !== null && tail[2]?.includes(".") === true) {
    const low = addressBits(tail[2]);
    return addressBits(`${tail[1] ?? ""}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [left = "", right] = address.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const middle = right === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...middle, ...after].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
