/** One way in that a server names in WWW-Authenticate (RFC 9110 section 11.6.1). Names are lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const LENGTH_MAX = 8192;

/**
 * Reads a header that may hold several challenges: `Bearer realm="https://a/token",service="a", Basic realm="b"`.
 * What is malformed ends the reading: the challenges before it stand.
 */
export function parseChallenges(header: string | undefined): Challenge[] {
  const text = header ?? "";
  if (text.length > LENGTH_MAX) return [];
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const parameter = new RegExp(`\\s*,?\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, "y");
  const scheme = new RegExp(`[\\s,]*(${TOKEN})(?=\\s|,|$)(?!\\s*=)`, "y");
  let at = 0;
  while (at < text.length) {
    const current = challenges.at(-1);
    parameter.lastIndex = at;
    const pair = current === undefined ? null : parameter.exec(text);
    if (pair !== null) {
      const value = pair[2]?.replace(/\\(.)/g, "$1") ?? pair[3] ?? "";
      // The first of equal names counts: a later one must not replace what was shown before.
      const name = (pair[1] ?? "").toLowerCase();
      if (current?.parameters.has(name) === false) current.parameters.set(name, value);
      at = parameter.lastIndex;
      continue;
    }
    scheme.lastIndex = at;
    const start = scheme.exec(text);
    if (start === null) break;
    challenges.push({ scheme: (start[1] ?? "").toLowerCase(), parameters: new Map() });
    at = scheme.lastIndex;
  }
  return challenges;
}
