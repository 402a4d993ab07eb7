/**
 * Firewalls of others that drop what is forwarded from and to our bridges. An accept of ours does not overrule them, and their rules
 * are their owner's, so the person is told what to type (docs/networking.md). Docker's is another matter: docker-user.ts.
 */

/**
 * A sentence about what is in a bridge's way, or undefined. `filter` is the output of `iptables-save -t filter` or of ip6tables-save, as
 * `program` says, `firewalld` of `nft list table inet firewalld`; "" where there is no such thing.
 */
export function forwardingBlocked(bridge: string, filter: string, firewalld: string, program: "iptables" | "ip6tables" = "iptables"): string | undefined {
  const lines = filter.split("\n");
  const isDropped = lines.some((line) => /^:FORWARD (DROP|REJECT) /.test(line)) && !lines.some((line) => line.startsWith(":DOCKER-USER "));
  if (isDropped && !lines.some((line) => line.includes(` -i ${bridge} `) && line.endsWith("-j ACCEPT"))) {
    const isUfw = lines.some((line) => line.startsWith(":ufw-"));
    return isUfw
      ? told("ufw", bridge, `ufw route allow in on ${bridge}; ufw route allow out on ${bridge}`)
      : told(`the policy of ${program}' chain FORWARD`, bridge, `${program} -I FORWARD -i ${bridge} -j ACCEPT; ${program} -I FORWARD -o ${bridge} -j ACCEPT`);
  }
  if (firewalld !== "" && !firewalld.includes(`"${bridge}"`)) return told("firewalld", bridge, `firewall-cmd --permanent --zone=trusted --add-interface=${bridge}; firewall-cmd --reload`);
  return undefined;
}

function told(who: string, bridge: string, remedy: string): string {
  return `${who} keeps the containers on ${bridge} from other hosts; let them pass with: ${remedy}`;
}
