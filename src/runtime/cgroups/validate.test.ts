import { describe, expect, test } from "bun:test";
import type { Resources } from "../../oci/index.ts";
import { validateResources } from "./validate.ts";

const facts = { cpuCount: 2, cpus: "0-1\n", mems: "0\n" };

describe("validateResources", () => {
  test("what is fine", () => {
    const fine: Resources[] = [
      {},
      { memory: { limit: 5 << 20, swap: 5 << 20, reservation: 1 << 20, swappiness: 0 } },
      { memory: { limit: -1, swap: -1, swappiness: -1 } },
      { cpu: { quota: 4000, period: 100_000, shares: 2, cpus: "0-1", mems: "0", burst: 0, idle: 1 } },
      { cpu: { quota: -1, shares: 0 } },
      { pids: { limit: -1 }, blockIO: { weight: 10 }, hugepageLimits: [{ pageSize: "2MB", limit: 0 }] },
      { unified: { "memory.high": "max" }, rdma: { mlx5_0: { hcaObjects: 1 } } },
    ];
    for (const resources of fine) expect(validateResources(resources, facts)).toEqual([]);
  });

  test.each<[string, Resources]>([
    ["--memory ", { memory: { limit: 100 } }],
    ["--memory ", { memory: { limit: 1.5 } }],
    ["--memory-swap ", { memory: { swap: 8192 } }],
    ["--memory-swap ", { memory: { limit: 8192, swap: 4096 } }],
    ["--memory-reservation ", { memory: { limit: 8192, reservation: 9000 } }],
    ["--memory-swappiness ", { memory: { swappiness: 101 } }],
    ["--cpu-shares ", { cpu: { shares: 1 } }],
    ["--cpu-quota ", { cpu: { quota: 999 } }],
    ["--cpu-period ", { cpu: { period: 999 } }],
    ["--cpu-period ", { cpu: { period: 1_000_001 } }],
    ["--cpus ", { cpu: { quota: 200_001 } }],
    ["cpu.burst ", { cpu: { quota: 5000, burst: 5001 } }],
    ["cpu.idle ", { cpu: { idle: 2 } }],
    ["--cpuset-cpus ", { cpu: { cpus: "0-2" } }],
    ["--cpuset-cpus ", { cpu: { cpus: "1-x" } }],
    ["--cpuset-mems ", { cpu: { mems: "1" } }],
    ["--pids-limit ", { pids: { limit: -2 } }],
    ["--blkio-weight ", { blockIO: { weight: 9 } }],
    ["--blkio-weight ", { blockIO: { weight: 1001 } }],
    ["--device-read-bps ", { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: -1 }] } }],
    ["hugepageLimits.pageSize ", { hugepageLimits: [{ pageSize: "../2MB", limit: 1 }] }],
    ["network.classID ", { network: { classID: 2 ** 32 } }],
    ["rdma ", { rdma: { "a b": { hcaHandles: 1 } } }],
    ["unified ", { unified: { "memory/max": "1" } }],
    ["device rule ", { devices: [{ allow: true, type: "x" }] }],
  ])("%s is told once", (name, resources) => {
    const problems = validateResources(resources, facts);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith("Cannot ");
    expect(problems[0]).toContain(name);
  });

  test("all problems at once; without a fact its check is left out", () => {
    expect(validateResources({ memory: { limit: 1, swap: -5, swappiness: 200 }, cpu: { shares: 1 }, pids: { limit: 0.5 } })).toHaveLength(5);
    expect(validateResources({ cpu: { quota: 900_000, cpus: "0-63" } })).toEqual([]);
  });
});
