import { expect, test } from "bun:test";
import { forwardingBlocked } from "./other-firewalls.ts";

const dropping = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n";
const table = (name: string, chain: string, policy: string, ...rules: string[]): string =>
  `table ${name} {\n\tchain ${chain} {\n\t\ttype filter hook forward priority filter; policy ${policy};\n${rules.map((rule) => `\t\t${rule}\n`).join("")}\t}\n}\n`;

test("nothing is in the way where nobody drops", () => {
  expect(forwardingBlocked("sampan0", "", "")).toEqual([]);
  expect(forwardingBlocked(
    "sampan0",
    "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
    table("inet filter", "forward", "accept") + table("inet sampan", "forward", "accept", 'iifname "eth0" drop'),
  )).toEqual([]);
  // Docker's chain lets us pass.
  expect(forwardingBlocked("sampan0", `${dropping}:DOCKER-USER - [0:0]\nCOMMIT\n`, table("ip filter", "FORWARD", "drop"))).toEqual([]);
});

test("each is named with what to type, and no more once that was done", () => {
  expect(forwardingBlocked("sampan0", `${dropping}COMMIT\n`, "")).toEqual([expect.stringContaining("iptables -I FORWARD -i sampan0 -j ACCEPT") as string]);
  expect(forwardingBlocked("sampan0", `${dropping}COMMIT\n`, "", "ip6tables")).toEqual(
    ["the policy of ip6tables' chain FORWARD keeps the containers on sampan0 from other hosts; let them pass with: ip6tables -I FORWARD -i sampan0 -j ACCEPT; ip6tables -I FORWARD -o sampan0 -j ACCEPT"],
  );
  const ufw = `${dropping}:ufw-user-forward - [0:0]\n`;
  expect(forwardingBlocked("sampan0", `${ufw}-A ufw-user-forward -i sampan01 -j ACCEPT\nCOMMIT\n`, "")).toEqual(
    [expect.stringContaining("ufw route allow in on sampan0") as string],
  );
  expect(forwardingBlocked("sampan0", `${ufw}-A ufw-user-forward -i sampan0 -j ACCEPT\nCOMMIT\n`, "")).toEqual([]);
  const firewalld = (...rules: string[]): string => table("inet firewalld", "filter_FORWARD", "accept", ...rules);
  expect(forwardingBlocked("sampan0", "", firewalld('iifname "eth0" goto FWD_public'))).toEqual(
    [expect.stringContaining("firewall-cmd --permanent --zone=trusted --add-interface=sampan0") as string],
  );
  expect(forwardingBlocked("sampan0", "", firewalld('iifname "sampan0" goto FWD_trusted'))).toEqual([]);
});

test("so are chains of nftables' own, in the families that concern the network", () => {
  const sentence = `the policy of nftables' chain forward in table inet filter keeps the containers on sampan0 from other hosts; let them pass with: nft 'insert rule inet filter forward iifname "sampan0" accept'; nft 'insert rule inet filter forward oifname "sampan0" accept'`;
  expect(forwardingBlocked(
    "sampan0",
    "",
    table("inet nat", "other", "accept") + table("inet filter", "forward", "drop", "ct state established accept"),
  )).toEqual([sentence]);
  expect(forwardingBlocked("sampan0", "", table("inet filter", "forward", "drop", 'oifname "sampan0" accept', 'iifname "sampan0" accept'))).toEqual([]);
  expect(forwardingBlocked("sampan0", "", table("ip6 mine", "forward", "drop"))).toEqual([]);
  expect(forwardingBlocked("sampan0", "", table("ip6 mine", "forward", "drop"), "ip6tables")).toHaveLength(1);
});
