/**
 * Networks as pure functions: what is to be sent, written and filtered is computed here from values, and sent, written and
 * stored elsewhere (keel, nft, the engine, the store). The one exception reads /proc to say who has a port.
 *
 * Vocabulary. A *network* is a bridge and its subnets. An *endpoint* is one container's place on one network: a veth pair, a
 * MAC address, an address of each family. A *pool* is a subnet with its gateway; a *lease* an address in use. A *port spec* is what
 * `-p` says; a *published port* has its host port decided.
 *
 * Invariants. No network, broadcast or gateway address is ever handed out. Interface names have at most 15 bytes. Rules live
 * in one own nftables table and are the same whatever containers there are; a network has a chain of two or three rules, all else is
 * elements of sets. Text of a user's reaches a rule, a hosts file or a resolv.conf only after it was parsed.
 *
 * Start-up: import the file that is needed; this door is for those who need it all.
 */
export * from "./attach.ts";
export * from "./busy-ports.ts";
export * from "./conntrack.ts";
export * from "./create.ts";
export * from "./docker-user.ts";
export * from "./hosts.ts";
export * from "./ip.ts";
export * from "./ipam.ts";
export * from "./model.ts";
export * from "./nftables.ts";
export * from "./other-firewalls.ts";
export * from "./ports.ts";
export * from "./resolv.ts";
export * from "./rtnetlink/index.ts";
