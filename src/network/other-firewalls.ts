/**
 * Firewalls of others that drop what is forwarded from and to our bridges. An accept of ours does not overrule them, and their rules
 * are their owner's, so the person is told what to type (docs/networking.md). Docker's is another matter: docker-user.ts.
 */

/**
 * Sentences about what is in a bridge's way. `filter` is the output of `iptables-save -t filter` or of ip6tables-save, as `program` says,
 * `ruleset` of `nft -t list ruleset`; "" where there is no such thing.
 */
export function forwardingBlocked(bridge: string, filter: string, ruleset: string, program: "iptables" | "ip6tables" = "iptables"): string[] {
  const blocked: string[] = [];
  const lines = filter.split("\n");
  const isDropped = lines.some((line) => /^:FORWARD (DROP|REJECT) /.test(line)) && !lines.some((line) => line.startsWith(":DOCKER-USER "));
  if (isDropped && !lines.some((line) => line.includes(` -i ${bridge} `) && line.endsWith("-j ACCEPT"))) {
    const isUfw = lines.some((line) => line.startsWith(":ufw-") || line.startsWith(":ufw6-"));
    blocked.push(isUfw
      ? told("ufw", bridge, `ufw route allow in on ${bridge}; ufw route allow out on ${bridge}`)
      : told(`the policy of ${program}' chain FORWARD`, bridge, `${program} -I FORWARD -i ${bridge} -j ACCEPT; ${program} -I FORWARD -o ${bridge} -j ACCEPT`));
  }
  for (const { family, table, text } of tablesOf(ruleset)) {
    if (family === "inet" && table === "firewalld") {
      if (!text.includes(`"${bridge}"`))
        blocked.push(told("firewalld", bridge, `firewall-cmd --permanent --zone=trusted --add-interface=${bridge}; firewall-cmd --reload`));
      continue;
    }
    if (family !== "inet" && family !== (program === "iptables" ? "ip" : "ip6")) continue;
    // Whoever names our bridge in a table has thought of it.
    if (text.includes(`"${bridge}"`)) continue;
    for (const chain of droppingChains(text)) {
      // Those of iptables, which has shown them.
      if (family !== "inet" && table === "filter" && chain === "FORWARD") continue;
      const insert = (direction: string): string => `nft 'insert rule ${family} ${table} ${chain} ${direction} "${bridge}" accept'`;
      blocked.push(told(`the policy of nftables' chain ${chain} in table ${family} ${table}`, bridge, `${insert("iifname")}; ${insert("oifname")}`));
    }
  }
  return blocked;
}

function tablesOf(ruleset: string): { readonly family: string; readonly table: string; readonly text: string }[] {
  return [...ruleset.matchAll(/^table (\w+) (\S+) \{\n(.*?)^\}/gms)].map(([, family = "", table = "", text = ""]) => ({ family, table, text }));
}

/** Chains of a table that judge what is forwarded, and drop what no rule of theirs takes. */
function droppingChains(text: string): string[] {
  return [...text.matchAll(/^\tchain (\S+) \{\n(.*?)^\t\}/gms)].filter(([, , rules = ""]) => /^\t\ttype filter hook forward .*policy drop;/m.test(rules)).map((
    [, chain = ""],
  ) => chain);
}

function told(who: string, bridge: string, remedy: string): string {
  return `${who} keeps the containers on ${bridge} from other hosts; let them pass with: ${remedy}`;
}
