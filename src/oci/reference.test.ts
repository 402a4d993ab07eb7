import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { digestOf } from "./digest.ts";
import { familiarName, familiarReference, formatReference, parseReference, tagOrDigest, withDefaultTag, withDigest, withTag } from "./reference.ts";

const DIGEST = digestOf("x");

describe("references people type", () => {
  test.each([
    ["nginx", "docker.io/library/nginx", "nginx"],
    ["nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"],
    ["user/app", "docker.io/user/app", "user/app"],
    ["docker.io/nginx", "docker.io/library/nginx", "nginx"],
    ["index.docker.io/library/nginx", "docker.io/library/nginx", "nginx"],
    ["docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"],
    ["localhost/app", "localhost/app", "localhost/app"],
    ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
    ["localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"],
    ["127.0.0.1:5000/a/b/c:T", "127.0.0.1:5000/a/b/c:T", "127.0.0.1:5000/a/b/c:T"],
    ["[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"],
    ["Registry/app", "Registry/app", "Registry/app"],
    [`host:5000/path:tag@${DIGEST}`, `host:5000/path:tag@${DIGEST}`, `host:5000/path:tag@${DIGEST}`],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    ["u/a__b--c.d_e", "docker.io/u/a__b--c.d_e", "u/a__b--c.d_e"],
  ])("%p", (text, whole, familiar) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(whole);
    expect(familiarReference(reference)).toBe(familiar);
    expect(parseReference(familiar)).toEqual(reference);
  });

  test.each([
    ["", "invalid reference format"],
    [":tag", "invalid reference format"],
    ["Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"],
    ["docker.io/Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"],
    ["host:5000/Path:tag", "invalid reference format: repository name (Path) must be lowercase"],
    ["a".repeat(64), "cannot specify 64-byte hexadecimal strings"],
    [`x/${"a".repeat(256)}`, "repository name must not be more than 255 characters"],
    ["nginx:", "invalid reference format"],
    ["nginx@", "invalid reference format"],
    ["nginx:-x", "invalid reference format"],
    [`nginx:${"t".repeat(129)}`, "invalid reference format"],
    ["nginx@sha256:abc", "invalid reference format"],
    [`nginx@sha256:${"a".repeat(40)}`, "invalid checksum digest length"],
    [`nginx@md5:${"a".repeat(32)}`, "unsupported digest algorithm"],
    ["../nginx", "invalid reference format"],
    ["a//b", "invalid reference format"],
    ["a/../b", "invalid reference format"],
    ["/nginx", "invalid reference format"],
    ["nginx/", "invalid reference format"],
    ["a___b", "invalid reference format"],
    ["-a", "invalid reference format"],
    ["nginx tag", "invalid reference format"],
    ["nginx\n", "invalid reference format"],
    ["-host.com/a", "invalid reference format"],
    ["a_b.com/a", "invalid reference format"],
    ["http://host/a", "invalid reference format"],
    ["user@host/a", "invalid reference format"],
    ["host:5000:5000/a", "invalid reference format"],
    ["host:x/a", "invalid reference format"],
    ["a/".repeat(1e6), "invalid reference format"],
  ])("refuses %#", (text, words) => {
    expect(() => parseReference(text)).toThrow(words);
  });

  test("tags and digests are exchanged, not piled up", () => {
    const both = parseReference(`nginx:1@${DIGEST}`);
    expect(tagOrDigest(both)).toBe(DIGEST);
    expect(withDefaultTag(both)).toEqual(both);
    expect(withDefaultTag(parseReference("nginx")).tag).toBe("latest");
    expect(formatReference(withTag(both, "2"))).toBe("docker.io/library/nginx:2");
    expect(formatReference(withDigest(both, DIGEST))).toBe(`docker.io/library/nginx@${DIGEST}`);
    expect(() => withTag(both, "a/b")).toThrow("invalid tag format");
    expect(familiarName(both)).toBe("nginx");
  });
});

describe("references, any", () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const host = fc.oneof(fc.constantFrom("localhost", "[::1]", "[fe80::1]"), fc.stringMatching(/^[a-zA-Z0-9]{1,6}(-[a-z0-9]{1,3})?(\.[a-z0-9]{1,6}){1,2}$/));
  const domain = fc.tuple(host, fc.option(fc.integer({ min: 1, max: 65535 }))).map(([name, port]) => (port === null ? name : `${name}:${port}`));
  const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/));
  const digest = fc.option(fc.string().map((text) => digestOf(text)));

  test("what is put together is taken apart again", () => {
    fc.assert(
      fc.property(domain, path, tag, digest, (itsDomain, itsPath, itsTag, itsDigest) => {
        const text = `${itsDomain}/${itsPath}${itsTag === null ? "" : `:${itsTag}`}${itsDigest === null ? "" : `@${itsDigest}`}`;
        const reference = parseReference(text);
        expect(reference.domain).toBe(itsDomain);
        expect(reference.path).toBe(itsPath);
        expect(reference.tag).toBe(itsTag ?? undefined);
        expect(reference.digest).toBe(itsDigest ?? undefined);
        expect(formatReference(reference)).toBe(text);
        expect(parseReference(familiarReference(reference))).toEqual(reference);
      }),
    );
  });

  test("whatever is accepted is safe in a URL path and stable", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("a", "A", "1", "/", ":", "@", ".", "-", "_", "[", "]", "\0", " ", "%", "?") }));
    fc.assert(
      fc.property(text, (input) => {
        let reference;
        try {
          reference = parseReference(input);
        } catch (error) {
          expect(String(error)).toMatch(/^SampanError: Cannot parse (reference|digest) /);
          return;
        }
        expect(reference.path).toMatch(/^[a-z0-9._/-]+$/);
        expect(reference.path.split("/")).not.toContain("..");
        expect(parseReference(formatReference(reference))).toEqual(reference);
      }),
      { numRuns: 2000 },
    );
  });
});
