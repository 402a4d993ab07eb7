import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import {
  allCapabilities,
  capabilitiesOfMask,
  capabilityMask,
  capabilityName,
  capabilityNumber,
  defaultCapabilities,
  LAST_CAPABILITY,
  parseCapability,
} from "./capabilities.ts";

test("41 capabilities, each name and number the other's inverse", () => {
  const all = allCapabilities();
  expect(all.length).toBe(41);
  expect(all.length).toBe(LAST_CAPABILITY + 1);
  for (const [number, name] of all.entries()) {
    expect(capabilityNumber(name)).toBe(number);
    expect(capabilityName(number)).toBe(name);
  }
  expect(capabilityNumber("CAP_SYS_ADMIN")).toBe(21);
  expect(capabilityNumber("CAP_SETFCAP")).toBe(31);
  expect(capabilityNumber("SYS_ADMIN")).toBeUndefined();
  expect(capabilityNumber("CAP_")).toBeUndefined();
  expect(capabilityName(41)).toBeUndefined();
});

const header = "/usr/include/linux/capability.h";
test.skipIf(!existsSync(header))("the kernel header's numbers", () => {
  const lines = [...readFileSync(header, "utf8").matchAll(/^#define (CAP_[A-Z_]+)\s+(\d+)$/gm)];
  expect(lines.length).toBe(41);
  for (const [, name, number] of lines) expect([name, capabilityNumber(name ?? "")]).toEqual([name, Number(number)]);
});

test("Docker's default set is the mask that a Docker container shows", () => {
  expect(defaultCapabilities().length).toBe(14);
  expect(capabilityMask(defaultCapabilities()).toString(16)).toBe("a80425fb");
});

test("masks of bits on both sides of 32 come back as their names", () => {
  expect(capabilityMask([])).toBe(0n);
  expect(capabilityMask(allCapabilities())).toBe((1n << 41n) - 1n);
  fc.assert(
    fc.property(fc.subarray(allCapabilities()), (names) => {
      expect(capabilitiesOfMask(capabilityMask(names))).toEqual(names);
    }),
  );
  expect(() => capabilityMask(["CAP_NONSENSE"])).toThrow('Cannot use capability "CAP_NONSENSE": no such capability');
});

test("people's spellings", () => {
  for (const text of ["NET_ADMIN", "net_admin", "CAP_NET_ADMIN", "cap_Net_Admin"]) expect(parseCapability(text)).toBe("CAP_NET_ADMIN");
  expect(parseCapability("all")).toBe("ALL");
  expect(parseCapability("CAP_ALL")).toBe("ALL");
  for (const text of ["", "CAP_", "NET ADMIN", "CAP_CAP_KILL", "41"]) expect(() => parseCapability(text)).toThrow(`capability "${text}"`);
});
