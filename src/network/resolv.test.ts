import { describe, expect, test } from "bun:test";
import { buildResolvConf, needsUpstreams } from "./resolv.ts";
import type { ResolvRequest } from "./resolv.ts";

const request = (more: Partial<ResolvRequest>): ResolvRequest => ({ host: "", dns: [], search: [], options: [], hostNetwork: false, ipv6: true, ...more });
const STUB = "# managed\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan example.org\n";
const UPSTREAMS = "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\nsearch lan\n";

describe("resolv.conf", () => {
  test("the host's servers, search and options", () => {
    expect(buildResolvConf(
      request({ host: "domain a\nsearch b c\nnameserver 192.0.2.1\nnameserver 127.0.0.1\noptions ndots:2\noptions rotate\n; nameserver 9.9.9.9\n" }),
    )).toEqual({ text: "nameserver 192.0.2.1\nsearch b c\noptions ndots:2 rotate\n", warnings: [] });
  });
  test("a loopback resolver gives way to its upstreams; what needs a zone or IPv6 is left out", () => {
    expect(needsUpstreams(STUB)).toBe(true);
    expect(needsUpstreams(UPSTREAMS)).toBe(false);
    expect(buildResolvConf(request({
      host: STUB,
      upstreams: UPSTREAMS,
    })).text).toBe("nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch lan example.org\noptions edns0 trust-ad\n");
    expect(buildResolvConf(request({ host: STUB, upstreams: UPSTREAMS, ipv6: false })).text).toContain("nameserver 192.0.2.53\nsearch");
  });
  test("none is none, and is said", () => {
    expect(buildResolvConf(request({ host: STUB }))).toEqual({
      text: "search lan example.org\noptions edns0 trust-ad\n",
      warnings: [expect.stringContaining("out of a container's reach") as string],
    });
    expect(buildResolvConf(request({}))).toEqual({ text: "", warnings: [expect.stringContaining("names no server") as string] });
  });
  test("flags replace, each its own part; a loopback given by hand is kept", () => {
    expect(buildResolvConf(request({ host: UPSTREAMS, dns: ["127.0.0.1", "::1"], search: ["x.org"], options: ["ndots:5"] }))).toEqual({
      text: "nameserver 127.0.0.1\nnameserver ::1\nsearch x.org\noptions ndots:5\n",
      warnings: [],
    });
    expect(buildResolvConf(request({ host: UPSTREAMS, search: ["."] })).text).toBe("nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
  });
  test("with the host's network the file is the host's, to the byte, unless a flag says otherwise", () => {
    expect(buildResolvConf(request({ host: STUB, hostNetwork: true })).text).toBe(STUB);
    expect(buildResolvConf(request({
      host: STUB,
      hostNetwork: true,
      options: ["ndots:1"],
    })).text).toBe("nameserver 127.0.0.53\nsearch lan example.org\noptions ndots:1\n");
  });
  test("nothing smuggles in a line", () => {
    expect(() => buildResolvConf(request({ dns: ["1.1.1.1\nnameserver 6.6.6.6"] }))).toThrow("IP address is not correctly formatted");
    expect(() => buildResolvConf(request({ dns: ["1.2.3"] }))).toThrow("IP address is not correctly formatted: 1.2.3");
    expect(() => buildResolvConf(request({ search: ["a b"] }))).toThrow("a b is not a valid domain");
    expect(() => buildResolvConf(request({ options: ["a\nb"] }))).toThrow("invalid DNS option");
  });
});
