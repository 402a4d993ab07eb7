import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { allCapabilities, defaultCapabilities } from "../../linux/capabilities.ts";
import { SECCOMP_CACHE_VERSION, seccompCacheKey } from "./cache-key.ts";
import { compileSeccomp } from "./compile.ts";
import { defaultSeccompProfile } from "./default-profile.ts";

test("what changes the program changes the key", () => {
  const base = { profileJson: undefined, arch: "x64", capabilities: defaultCapabilities(), kernelVersion: "6.1.0" } as const;
  const keys = [
    seccompCacheKey(base),
    seccompCacheKey({ ...base, arch: "arm64" }),
    seccompCacheKey({ ...base, capabilities: [] }),
    seccompCacheKey({ ...base, kernelVersion: "4.4.0" }),
    seccompCacheKey({ ...base, multiplexedSockets: true }),
    seccompCacheKey({ ...base, profileJson: "{}" }),
    seccompCacheKey({ ...base, profileJson: "{} " }),
    seccompCacheKey({ ...base, profileJson: "{}", kernelVersion: "6.2.0" }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  for (const key of keys) expect(key).toMatch(/^[a-z0-9.-]{1,120}$/);
});

test("what does not change it does not", () => {
  const base = { profileJson: undefined, arch: "x64", capabilities: defaultCapabilities(), kernelVersion: "6.1.0" } as const;
  expect(seccompCacheKey({ ...base, capabilities: defaultCapabilities().toReversed() })).toBe(seccompCacheKey(base));
  expect(seccompCacheKey({ ...base, kernelVersion: "6.18.3-1" })).toBe(seccompCacheKey(base));
});

test("kept programs stay valid: a change of output comes with a new SECCOMP_CACHE_VERSION", () => {
  const hash = createHash("sha256");
  for (const arch of ["x64", "arm64"] as const) {
    for (const capabilities of [[], defaultCapabilities(), allCapabilities()]) {
      for (const multiplexedSockets of [false, true]) {
        hash.update(compileSeccomp(defaultSeccompProfile(capabilities, arch, "6.1", { multiplexedSockets }), arch).program);
      }
    }
  }
  // When this fails: raise the version in cache-key.ts, then put the new pair here.
  expect([SECCOMP_CACHE_VERSION, hash.digest("hex").slice(0, 16)]).toEqual([1, "bd89a2907ac4abc8"]);
});
