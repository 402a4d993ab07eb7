import { describe, expect, test } from "bun:test";
import { annotatedProperties, limitProperties } from "./properties.ts";
import { expandSlice, unitOf } from "./unit-name.ts";

describe("units", () => {
  test("a slice stands within those that its name says", () => {
    expect(expandSlice("machine-foo-bar.slice")).toBe("/machine.slice/machine-foo.slice/machine-foo-bar.slice");
    expect(expandSlice("-.slice")).toBe("");
    for (const bad of ["machine", ".slice", "a--b.slice", "-a.slice", "a/b.slice"]) expect(() => expandSlice(bad)).toThrow("invalid slice name");
  });

  test("slice:prefix:name, and what is left out", () => {
    expect(unitOf("machine.slice:libpod:abc", "x")).toEqual({ name: "libpod-abc.scope", slice: "machine.slice", path: "/machine.slice/libpod-abc.scope" });
    expect(unitOf("", "web")).toEqual({ name: "sampan-oci-web.scope", slice: "system.slice", path: "/system.slice/sampan-oci-web.scope" });
    expect(unitOf("user.slice::abc", "x").name).toBe("abc.scope");
    expect(unitOf("a.slice:p:b-c.slice", "x").path).toBe("/b.slice/b-c.slice");
    expect(() => unitOf("/plain/path", "x")).toThrow('expected cgroupsPath to be of format "slice:prefix:name"');
    expect(() => unitOf("a.slice:p:../x", "x")).toThrow("no name of a unit");
  });
});

describe("properties", () => {
  test("limits in systemd's words, for each version", () => {
    const resources = { memory: { limit: 1 << 20, swap: 3 << 20 }, cpu: { quota: 50_000, period: 100_000, shares: 1024, cpus: "0-1,8" }, pids: { limit: -1 } };
    const v2 = new Map(limitProperties(resources, true));
    expect(v2.get("MemoryMax")?.value).toBe(1n << 20n);
    expect(v2.get("MemorySwapMax")?.value).toBe(2n << 20n);
    expect(v2.get("CPUWeight")?.value).toBe(100n);
    expect(v2.get("CPUQuotaPerSecUSec")?.value).toBe(500_000n);
    expect(v2.get("TasksMax")?.value).toBe(2n ** 64n - 1n);
    expect(v2.get("AllowedCPUs")).toEqual({ type: "ay", value: [3, 1] });
    const v1 = new Map(limitProperties(resources, false));
    expect(v1.get("MemoryLimit")?.value).toBe(1n << 20n);
    expect(v1.get("CPUShares")?.value).toBe(1024n);
    expect(limitProperties({ cpu: { quota: 1001, period: 100_000 } }, true).at(-1)?.[1].value).toBe(20_000n);
  });

  test("annotations are properties; seconds become microseconds; what cannot be read is an error", () => {
    const given = {
      "org.systemd.property.TimeoutStopSec": "7",
      "org.systemd.property.CollectMode": "'inactive-or-failed'",
      "org.systemd.property.After": "['a.service', 'b.service']",
      other: "x",
    };
    expect(annotatedProperties(given)).toEqual([
      ["TimeoutStopUSec", { type: "t", value: 7_000_000n }], ["CollectMode", { type: "s", value: "inactive-or-failed" }],
      ["After", { type: "as", value: ["a.service", "b.service"] }],
    ]);
    expect(() => annotatedProperties({ "org.systemd.property.X": "1" })).toThrow();
    expect(() => annotatedProperties({ "org.systemd.property.Name": "{}" })).toThrow("no value that is known");
  });
});
