import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

const plain = (header: string): unknown => parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each<[string, unknown]>([
  [`Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"`,
    [["bearer", { realm: "https://auth.docker.io/token", service: "registry.docker.io", scope: "repository:a/b:pull,push" }]]],
  [`Basic realm="x y"`, [["basic", { realm: "x y" }]]],
  [`Basic realm=x, Bearer realm="y" , service = z`, [["basic", { realm: "x" }], ["bearer", { realm: "y", service: "z" }]]],
  [`Negotiate, Basic realm="a\\"b"`, [["negotiate", {}], ["basic", { realm: `a"b` }]]],
  [`BEARER REALM="x",realm="y"`, [["bearer", { realm: "x" }]]],
  [`Bearer realm="unterminated`, [["bearer", {}]]],
  ["", []],
])("%p", (header, expected) => {
  expect(plain(header)).toEqual(expected);
});

test("any header is read in reasonable time and without an exception", () => {
  const piece = fc.constantFrom("Bearer", "Basic", "realm", "=", '"', ",", " ", "\\", "x", "a=b", '"c"');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(piece, { maxLength: 200 }).map((parts) => parts.join(""))), (header) => void parseChallenges(header)),
    { numRuns: 500 },
  );
  const start = performance.now();
  for (const hostile of [
    `Bearer ${" ".repeat(8000)}x`,
    `Bearer realm="${"\\".repeat(8000)}`,
    "a,".repeat(4000),
    "a=".repeat(4000),
    "Bearer " + "a =".repeat(2600),
  ]) parseChallenges(hostile);
  expect(performance.now() - start).toBeLessThan(500);
});
