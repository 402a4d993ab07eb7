import { expect, test } from "bun:test";
import { proxyAuthorization, proxyFor } from "./proxy.ts";

const choose = (url: string, env: Record<string, string>): string | undefined => proxyFor(new URL(url), env)?.host;

test("the variable of the scheme, lower case first", () => {
  expect(choose("https://a.com", { HTTPS_PROXY: "http://p:1" })).toBe("p:1");
  expect(choose("https://a.com", { HTTPS_PROXY: "http://p:1", https_proxy: "http://q:2" })).toBe("q:2");
  expect(choose("https://a.com", { HTTP_PROXY: "http://p:1" })).toBeUndefined();
  expect(choose("http://a.com", { HTTP_PROXY: "p:1" })).toBe("p:1");
  expect(choose("http://a.com", { HTTP_PROXY: "p:1", REQUEST_METHOD: "GET" })).toBeUndefined();
  expect(choose("http://localhost:5000", { HTTP_PROXY: "p:1" })).toBeUndefined();
  expect(() => choose("http://a.com", { HTTP_PROXY: "socks5://user:secret@p:1" })).toThrow(
    /^Cannot use proxy of "http_proxy": it is not an http or https URL$/,
  );
});

test.each<[string, string, boolean]>([
  ["*", "https://a.com", true],
  ["a.com", "https://a.com", true],
  ["a.com", "https://x.a.com", true],
  ["a.com", "https://ba.com", false],
  [".a.com", "https://a.com", false],
  [".a.com", "https://x.a.com", true],
  ["*.a.com", "https://x.a.com", true],
  ["a.com:443", "https://a.com", true],
  ["a.com:444", "https://a.com", false],
  ["10.0.0.0/8", "https://10.1.2.3", true],
  ["10.0.0.0/8", "https://11.1.2.3", false],
  ["10.0.0.0/99", "https://10.1.2.3", false],
  ["fd00::/8", "https://[fd00::1]", true],
  ["fd00::1", "https://[fd00::1]", true],
  ["b.com, a.com", "https://a.com", true],
  ["", "https://a.com", false],
])("NO_PROXY=%p exempts %p: %p", (list, url, exempt) => {
  expect(choose(url, { HTTPS_PROXY: "http://p:1", NO_PROXY: list }) === undefined).toBe(exempt);
});

test("a user in the proxy's URL", () => {
  expect(proxyAuthorization(new URL("http://u%40:p%3A@h"))).toBe(`Basic ${Buffer.from("u@:p:").toString("base64")}`);
  expect(proxyAuthorization(new URL("http://h"))).toBeUndefined();
});
