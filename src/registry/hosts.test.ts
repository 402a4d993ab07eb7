import { describe, expect, test } from "bun:test";
import { parseReference } from "../oci/index.ts";
import { isLoopback, parseRegistriesConfig, placesFor, schemesFor } from "./hosts.ts";

const CONFIG = parseRegistriesConfig(`
# mirrors
[[registry]]
prefix = "docker.io" # Hub

[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = 'second.example'

[[registry]]
prefix = "docker.io/private"
location = "own.example:8443/store"
ca = "/etc/own \\"ca\\".pem"

[[registry]]
location = "bad.example"
blocked = true

[[registry]]
location = "localhost:5001"
insecure = false
`);
const places = (text: string, purpose: "pull" | "push" = "pull"): unknown =>
  placesFor(CONFIG, parseReference(text), purpose).map(({ host, domain, repository, mirror }) => [host, domain, repository, mirror]);

describe("registries.conf", () => {
  test("mirrors come first, and for pulling only; each with its own host's credentials", () => {
    expect(places("nginx")).toEqual([
      ["mirror.example:5000", "mirror.example:5000", "hub/library/nginx", true],
      ["second.example", "second.example", "library/nginx", true],
      ["registry-1.docker.io", "docker.io", "library/nginx", false],
    ]);
    expect(places("nginx", "push")).toEqual([["registry-1.docker.io", "docker.io", "library/nginx", false]]);
  });

  test("the longest prefix counts, at whole path components", () => {
    expect(places("private/app")).toEqual([["own.example:8443", "own.example:8443", "store/app", false]]);
    expect(placesFor(CONFIG, parseReference("private/app"), "pull")[0]?.ca).toBe('/etc/own "ca".pem');
    expect(places("privateer/app")).toHaveLength(3);
    expect(places("quay.io/a/b")).toEqual([["quay.io", "quay.io", "a/b", false]]);
  });

  test("a blocked registry is refused", () => {
    expect(() => places("bad.example/x")).toThrow(`Cannot use registry "bad.example": it is blocked`);
  });

  test.each([
    ["[registry]", "line 1"],
    ["a b", "line 1"],
    ["\n\nx = ", "line 3"],
    [`location = "a"`, `"location" does not belong before`],
    [`[[registry]]\nlocation = "a"\nlocation = "b"`, `line 3: "location" is given twice`],
    [`[[registry]]\nlocaton = "a"`, `"locaton" is not known`],
    [`[[registry]]\ninsecure = true`, `"location" is missing`],
    [`[[registry]]\nlocation = "a"\ninsecure = "yes"`, "neither true nor false"],
    [`[[registry]]\nlocation = "https://a"`, "not of the form"],
    [`[[registry]]\nlocation = "a/../b"`, "not of the form"],
    [`[[registry.mirror]]\nlocation = "a"`, "no [[registry]] before"],
    [`[[other]]`, "no such table"],
    [`[[registry]]\nlocation = "a" x`, "line 2"],
  ])("says what is wrong with %p", (text, words) => {
    expect(() => parseRegistriesConfig(text, "f.conf")).toThrow(words);
    expect(() => parseRegistriesConfig(text, "f.conf")).toThrow(`Cannot read "f.conf": `);
  });
});

describe("schemes", () => {
  const of = (
    host: string,
    insecure?: boolean,
    tlsVerify?: boolean,
  ): string => schemesFor({ host, insecure }, tlsVerify).map(({ scheme, verify }) => scheme + (verify ? "!" : "")).join(" ");
  test("verified TLS, except where it is said otherwise or on loopback", () => {
    expect(of("example.com")).toBe("https!");
    expect(of("example.com", true)).toBe("https http");
    expect(of("example.com", undefined, false)).toBe("https http");
    expect(of("example.com", true, true)).toBe("https!");
    expect(of("localhost:5000")).toBe("http https");
    expect(of("127.1.2.3:5000")).toBe("http https");
    expect(of("[::1]:5000")).toBe("http https");
    expect(of("localhost:5000", undefined, true)).toBe("https!");
    expect(of("localhost:5001", false)).toBe("https!");
  });

  test("what only looks like loopback is not", () => {
    for (const host of ["127.0.0.1.evil.com", "localhost.evil.com", "evil-localhost", "128.0.0.1", "0.0.0.0", "[::2]"]) expect(isLoopback(host)).toBe(false);
  });
});
