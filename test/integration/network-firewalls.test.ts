// Beside ufw as it is, and beside the rules that firewalld makes: what they stop is said, and what is said helps. Needs root, ip, nft,
// iptables, python3, ufw.
import { expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { containing, matching } from "../support/matching.ts";

setDefaultTimeout(120_000);

const PUBLISHED = ["tcp,198.51.100.1,8080", "udp,198.51.100.1,5353", "tcp,2001:db8::1,8080"] as const;
const OUT = ["tcp,198.51.100.9,80", "tcp,2001:db8::9,80"] as const;

/** The remedy in a warning. */
const remedyIn = (stderr: string): string => /let them pass with: (.*)/.exec(stderr)?.[1] ?? "false";

async function expectAllOpen(world: HostNetns): Promise<void> {
  expect(world.ask(world.outside, ...PUBLISHED)).toEqual({ [PUBLISHED[0]]: "web 198.51.100.9", [PUBLISHED[1]]: "web 198.51.100.9", [PUBLISHED[2]]: "web 2001:db8::9" });
  expect(await world.askFrom("web", ...OUT, PUBLISHED[0])).toEqual({ [OUT[0]]: "outside 198.51.100.1", [OUT[1]]: "outside 2001:db8::1", [PUBLISHED[0]]: matching(/^web /) });
  for (const answer of Object.values(world.ask(world.host, "tcp,127.0.0.1,8080", "tcp,::1,8080", PUBLISHED[0]))) expect(answer).toStartWith("web ");
}

test("ufw denies what is routed until it is told otherwise, as the warning says, and stays so when it is reloaded", async () => {
  await using world = await createHostNetns();
  // Its rules are files; these are a copy that nobody else's ufw reads.
  const etc = `${world.sandbox.dir}/ufw`;
  mkdirSync(etc);
  cpSync("/etc/ufw", etc, { recursive: true });
  const ufw = (commands: string): string => world.host.run("unshare", "-m", "sh", "-ec", `mount --bind ${etc} /etc/ufw; mount -t tmpfs none /run; ${commands}`);
  ufw("ufw --force enable");

  const made = await world.sandbox.sampan(["network", "create", "--ipv6", "-o", "bridge=spt0", "mine"]);
  expect([made.exitCode, made.stderr]).toEqual([0, containing("WARNING: ufw keeps the containers on spt0 from other hosts; let them pass with: ufw route allow in on spt0; ufw route allow out on spt0\n")]);
  await world.serve("web", "--network", "mine", "-p", "8080:80", "-p", "5353:53/udp");
  expect(world.ask(world.outside, ...PUBLISHED)).toEqual({ [PUBLISHED[0]]: "timeout", [PUBLISHED[1]]: "timeout", [PUBLISHED[2]]: "timeout" });
  expect((await world.sandbox.sampan(["network", "reload"])).stderr).toContain("ufw keeps the containers on spt0");

  ufw(remedyIn(made.stderr));
  await expectAllOpen(world);
  ufw("ufw reload");
  await expectAllOpen(world);
  expect((await world.sandbox.sampan(["network", "reload"])).stderr).toBe("");
});

/** The chains of firewalld 1.3 that judge what is forwarded and what is for the host, with the zones `trusted` for one bridge and `public` for all else. */
const firewalld = (trusted: string): string => `add table inet firewalld
delete table inet firewalld
table inet firewalld {
  chain filter_INPUT {
    type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ${trusted === "" ? "" : `iifname "${trusted}" accept`}
    meta l4proto { icmp, ipv6-icmp } accept
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24, 2002:7f00::/24, 2002:a9fe::/32, 2002:ac10::/28, 2002:c0a8::/32, 2002:e000::/19 } reject with icmpv6 addr-unreachable
    ${trusted === "" ? "" : `iifname "${trusted}" accept`}
    reject with icmpx admin-prohibited
  }
}
`;

test("firewalld lets published ports through and nothing out until a bridge is in a zone that is trusted, as the warning says", async () => {
  await using world = await createHostNetns();
  expect(world.host.attempt(["nft", "-f", "-"], firewalld(""))).toMatchObject({ code: 0 });
  const made = await world.sandbox.sampan(["network", "create", "--ipv6", "-o", "bridge=spt0", "mine"]);
  expect(made.exitCode).toBe(0);
  expect(remedyIn(made.stderr)).toBe("firewall-cmd --permanent --zone=trusted --add-interface=spt0; firewall-cmd --reload");
  await world.serve("web", "--network", "mine", "-p", "8080:80", "-p", "5353:53/udp");
  expect(world.ask(world.outside, ...PUBLISHED)).toEqual({ [PUBLISHED[0]]: "web 198.51.100.9", [PUBLISHED[1]]: "web 198.51.100.9", [PUBLISHED[2]]: "web 2001:db8::9" });
  // EHOSTUNREACH, from its reject.
  expect(await world.askFrom("web", OUT[0])).toEqual({ [OUT[0]]: "error 113" });
  // What --reload makes of it: its table anew, with the zone.
  expect(world.host.attempt(["nft", "-f", "-"], firewalld("spt0"))).toMatchObject({ code: 0 });
  await expectAllOpen(world);
  expect((await world.sandbox.sampan(["network", "reload"])).stderr).toBe("");
});
