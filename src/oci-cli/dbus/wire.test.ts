import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeMessage, encodeMessage, messageLength, Reader, splitSignature, Writer } from "./index.ts";

describe("values", () => {
  test("what is written is read back, aligned as the specification has it", () => {
    const cases: [string, unknown][] = [
      ["s", "slice"], ["b", true], ["u", 7], ["t", 2n ** 64n - 1n], ["as", ["a", "b"]], ["ay", [1, 2, 3]],
      ["a(sv)", [["Name", { type: "t", value: 5n }], ["Other", { type: "as", value: [] }]]],
    ];
    for (const [type, value] of cases) {
      const reader = new Reader(new Writer().write("y", 1).write(type, value).bytes, true);
      reader.read("y");
      expect(reader.read(type)).toEqual(value);
    }
    expect([...new Writer().write("y", 1).write("u", 2).bytes]).toEqual([1, 0, 0, 0, 2, 0, 0, 0]);
  });

  test("a signature is a row of complete types", () => {
    expect(splitSignature("ssa(sv)a(sa(sv))")).toEqual(["s", "s", "a(sv)", "a(sa(sv))"]);
    for (const bad of ["(s", "a", "z", "(".repeat(100), "a()", "a{}"]) expect(() => splitSignature(bad)).toThrow();
  });
});

describe("messages", () => {
  const message = { kind: 1, serial: 3, path: "/org/x", interface: "org.x.Y", member: "Do", destination: "org.x", signature: "sb", body: ["a", true] };

  test("there and back, and whole only when all of it is there", () => {
    const bytes = encodeMessage(message);
    expect(messageLength(bytes)).toBe(bytes.length);
    expect(messageLength(bytes.subarray(0, 15))).toBeUndefined();
    expect(decodeMessage(bytes)).toEqual(message);
  });

  test("bytes from a peer are an error at worst", () => {
    const good = encodeMessage(message);
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const length = messageLength(bytes);
        if (length !== undefined && length <= bytes.length) decodeMessage(bytes.subarray(0, length));
      } catch (error) {
        expect(error).toHaveProperty("kind", "internal");
      }
    }));
  });
});
