import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buildHosts, extraHosts, parseAddHost, updateMembers } from "./hosts.ts";
import type { HostsEntry } from "./hosts.ts";

/** Looks a name up as the C library does: first line that has it. */
function lookUp(text: string, name: string): string | undefined {
  for (const line of text.split("\n")) {
    const [address, ...names] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    if (names.includes(name)) return address;
  }
  return undefined;
}

describe("hosts", () => {
  const base = buildHosts({ ownNames: ["web"], ownAddresses: ["172.18.0.2"], extra: [{ address: "192.0.2.9", names: ["db"] }], members: [], ipv6: false });

  test("localhost, itself, extra hosts, members", () => {
    expect(base).toBe("127.0.0.1\tlocalhost\n192.0.2.9\tdb\n172.18.0.2\tweb\n");
    const full = buildHosts({
      ownNames: ["web.example.org", "web"],
      ownAddresses: ["172.18.0.2", "fd00::2"],
      extra: [],
      members: [{ address: "172.18.0.3", names: ["api"] }],
      ipv6: true,
    });
    expect(["localhost", "web", "api", "ip6-localhost"].map((n) => lookUp(full, n))).toEqual(["127.0.0.1", "172.18.0.2", "172.18.0.3", "::1"]);
  });

  test("members come and go, and what the container wrote itself stays", () => {
    const edited = `${updateMembers(base, [{ address: "172.18.0.3", names: ["api", "a"] }])}10.0.0.1\tmine\n`;
    const later = updateMembers(edited, [{ address: "172.18.0.4", names: ["cache"] }, { address: "172.18.0.4", names: ["c", "cache"] }]);
    expect(["api", "cache", "c", "mine", "db", "web"].map((n) => lookUp(later, n))).toEqual([
      undefined, "172.18.0.4", "172.18.0.4", "10.0.0.1", "192.0.2.9", "172.18.0.2",
    ]);
    expect(updateMembers(later, [])).toBe(`${base}10.0.0.1\tmine\n`);
  });

  test("updating is idempotent, reversible, and only the last update counts", () => {
    const names = fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), { minLength: 1, maxLength: 3 });
    const members = fc.array(fc.record({ address: fc.ipV4(), names }), { maxLength: 5 });
    const own = fc.array(fc.stringMatching(/^[ -~\t]{0,30}$/), { maxLength: 5 }).map((lines) => (lines.length === 0 ? "" : `${lines.join("\n")}\n`));
    fc.assert(fc.property(own, members, members, (text, a, b) => {
      const once = updateMembers(text, a);
      expect(updateMembers(once, a)).toBe(once);
      expect(updateMembers(once, b)).toBe(updateMembers(text, b));
      expect(updateMembers(once, [])).toBe(text);
    }));
  });

  test("a lost marker costs nothing of the container's own", () => {
    const member: HostsEntry[] = [{ address: "172.18.0.3", names: ["api"] }];
    const full = `${updateMembers(base, member)}# mine\n10.0.0.1 mine\n`;
    const noEnd = full.split("\n").filter((line) => !line.includes("end of members")).join("\n");
    expect(updateMembers(noEnd, [])).toBe(`${base}# mine\n10.0.0.1 mine\n`);
    expect(lookUp(updateMembers("", member), "api")).toBe("172.18.0.3");
    expect(updateMembers("127.0.0.1 x", member).startsWith("127.0.0.1 x\n#")).toBe(true);
  });

  test("--add-host", () => {
    expect(parseAddHost("h:1.2.3.4")).toEqual({ name: "h", address: "1.2.3.4" });
    expect(parseAddHost("h=1.2.3.4")).toEqual({ name: "h", address: "1.2.3.4" });
    expect(parseAddHost("h:::1").address).toBe("::1");
    expect(parseAddHost("h:[::1]").address).toBe("::1");
    expect(() => parseAddHost("foo")).toThrow('bad format for add-host: "foo"');
    expect(() => parseAddHost("foo:")).toThrow('invalid IP address in add-host: ""');
    expect(() => parseAddHost("foo:1.2.3")).toThrow('invalid IP address in add-host: "1.2.3"');
    expect(() => parseAddHost("a\n6.6.6.6 b:1.2.3.4")).toThrow("bad format for add-host");
    expect(extraHosts(["host.docker.internal:host-gateway", "h:9.9.9.9"], ["172.18.0.1", "fd00::1"])).toEqual([
      { address: "172.18.0.1", names: ["host.docker.internal"] },
      { address: "fd00::1", names: ["host.docker.internal"] },
      { address: "9.9.9.9", names: ["h"] },
    ]);
    expect(() => extraHosts(["h:host-gateway"], [])).toThrow("Cannot resolve host-gateway");
  });
});
