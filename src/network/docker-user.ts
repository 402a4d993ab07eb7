import { SampanError } from "../base/errors.ts";

/**
 * Living beside Docker: its daemon sets the policy of iptables' FORWARD chain to DROP, and an accept in our table
 * does not overrule a drop in another. Docker leaves the chain DOCKER-USER to others, so there, and only there,
 * a jump to an own chain is put.
 */
const DEFAULT_CHAIN = "SAMPAN";

/**
 * Text for `iptables-restore --noflush --wait` (or ip6tables-restore) that lets our bridges' packets past Docker's
 * policy, or "" if nothing needs to be done.
 *
 * `saved` is the output of `iptables-save -t filter` ("" if there is no iptables). Packets for Docker's own
 * bridges are handed back, so that Docker's rules about its containers stay in force. Idempotent.
 */
export function dockerUserRules(saved: string, bridges: readonly string[], chain = DEFAULT_CHAIN): string {
  const lines = saved.split("\n");
  if (!lines.some((line) => line.startsWith(":DOCKER-USER "))) return "";
  for (const bridge of bridges) {
    if (!/^[A-Za-z0-9_.@=+-]{1,15}$/.test(bridge) || bridge.endsWith("+")) throw new SampanError("invalid", `invalid interface name ${JSON.stringify(bridge)}`);
  }
  const old = lines.filter((line) => line.startsWith("-A DOCKER-USER ") && line.endsWith(` -j ${chain}`));
  const chainThere = lines.some((line) => line.startsWith(`:${chain} `));
  const wanted = bridges.flatMap((bridge) => [`-A DOCKER-USER -i ${bridge} -j ${chain}`, `-A DOCKER-USER -o ${bridge} -j ${chain}`]);
  const missing = wanted.filter((rule) => !old.includes(rule));
  const stale = old.filter((rule) => !wanted.includes(rule));
  if (missing.length === 0 && stale.length === 0) return "";

  const text = ["*filter"];
  if (bridges.length > 0) {
    // Naming a user-defined chain makes it if need be and empties it (iptables-restore(8) with --noflush).
    text.push(`:${chain} - [0:0]`, `-A ${chain} -o docker0 -j RETURN`, `-A ${chain} -o br-+ -j RETURN`, `-A ${chain} -j ACCEPT`);
  }
  for (const rule of stale) text.push(rule.replace("-A ", "-D "));
  // At the top: Docker ends the chain with a RETURN.
  for (const rule of missing) text.push(rule.replace("-A DOCKER-USER", "-I DOCKER-USER 1"));
  if (bridges.length === 0 && chainThere) text.push(`-F ${chain}`, `-X ${chain}`);
  text.push("COMMIT", "");
  return text.join("\n");
}
