import { expect, test } from "bun:test";
import { forwardingBlocked } from "./other-firewalls.ts";

const dropping = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n";

test("nothing is in the way where nobody drops", () => {
  expect(forwardingBlocked("sampan0", "", "")).toBeUndefined();
  expect(forwardingBlocked("sampan0", "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n", "")).toBeUndefined();
  // Docker's chain lets us pass.
  expect(forwardingBlocked("sampan0", `${dropping}:DOCKER-USER - [0:0]\nCOMMIT\n`, "")).toBeUndefined();
});

test("each is named with what to type, and no more once that was done", () => {
  expect(forwardingBlocked("sampan0", `${dropping}COMMIT\n`, "")).toContain("iptables -I FORWARD -i sampan0 -j ACCEPT");
  expect(forwardingBlocked("sampan0", `${dropping}COMMIT\n`, "", "ip6tables")).toContain("the policy of ip6tables' chain FORWARD keeps the containers on sampan0 from other hosts; let them pass with: ip6tables -I FORWARD -i sampan0 -j ACCEPT; ip6tables -I");
  const ufw = `${dropping}:ufw-user-forward - [0:0]\n`;
  expect(forwardingBlocked("sampan0", `${ufw}-A ufw-user-forward -i sampan01 -j ACCEPT\nCOMMIT\n`, "")).toContain("ufw route allow in on sampan0");
  expect(forwardingBlocked("sampan0", `${ufw}-A ufw-user-forward -i sampan0 -j ACCEPT\nCOMMIT\n`, "")).toBeUndefined();
  expect(forwardingBlocked("sampan0", "", 'table inet firewalld {\n iifname "eth0" goto FWD_public\n}')).toContain("firewall-cmd --permanent --zone=trusted --add-interface=sampan0");
  expect(forwardingBlocked("sampan0", "", 'table inet firewalld {\n iifname "sampan0" goto FWD_trusted\n}')).toBeUndefined();
});
