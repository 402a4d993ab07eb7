import { describe, expect, test } from "bun:test";
import { bestPlatform, formatPlatform, hostPlatform, parsePlatform, platformCandidates, runsOn, samePlatform } from "./platform.ts";

const best = (wanted: string, offered: string[]): string | undefined => {
  const found = bestPlatform(parsePlatform(wanted), offered.map((name) => ({ name, platform: parsePlatform(name) })));
  return found?.name;
};

describe("platforms", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["Linux/x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/i386", "linux/386"],
    ["windows/amd64", "windows/amd64"],
    ["arm64", "linux/arm64"],
    ["s390x", "linux/s390x"],
    ["macos/arm64", "darwin/arm64"],
  ])("%p is %p", (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal);
  });

  test("an operating system alone takes the host's architecture", () => {
    expect(parsePlatform("linux")).toEqual(hostPlatform());
  });

  test.each(["", "linux/", "/amd64", "a/b/c/d", "linux/amd64 ", "linux/*", "vax", "linux/a\nb"])("refuses %p", (text) => {
    expect(() => parsePlatform(text)).toThrow("Cannot parse platform");
  });

  test("candidates, best first, as containerd orders them", () => {
    const names = (text: string): string[] => platformCandidates(parsePlatform(text)).map(formatPlatform);
    expect(names("linux/amd64/v3")).toEqual(["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]);
    expect(names("linux/arm/v7")).toEqual(["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]);
    expect(names("linux/arm64")).toEqual(["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]);
    expect(names("linux/arm64/v9.1").slice(0, 9)).toEqual([
      "linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64/v8.5", "linux/arm64/v8.4", "linux/arm64/v8.3",
      "linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64",
    ]);
    expect(names("linux/riscv64")).toEqual(["linux/riscv64"]);
  });

  test("the best offer wins, wherever it stands", () => {
    expect(best("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm64"])).toBe("linux/arm/v6");
    expect(best("linux/amd64", ["linux/386", "linux/amd64/v2", "linux/amd64"])).toBe("linux/amd64");
    expect(best("linux/amd64", ["linux/amd64/v2", "windows/amd64"])).toBeUndefined();
    expect(best("linux/arm64/v8", ["linux/arm/v7", "linux/arm64"])).toBe("linux/arm64");
  });

  test("what runs where", () => {
    expect(runsOn(parsePlatform("linux/amd64"), parsePlatform("linux/386"))).toBe(true);
    expect(runsOn(parsePlatform("linux/amd64"), parsePlatform("linux/arm64"))).toBe(false);
    expect(samePlatform({ os: "linux", architecture: "arm64", variant: "v8" }, { os: "linux", architecture: "aarch64" })).toBe(true);
  });
});
