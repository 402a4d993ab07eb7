import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { oomKilled, readStats } from "./stats.ts";
import type { CgroupPaths } from "./types.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "sampan-stats-"));
});
afterAll(() => rmSync(root, { recursive: true }));

function group(name: string, files: Record<string, string>): string {
  const directory = join(root, name);
  mkdirSync(directory);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return directory;
}

describe("readStats", () => {
  test("v1", () => {
    const directory = group("v1", {
      "cpuacct.usage": "3000000001\n",
      "cpuacct.usage_user": "2000000000\n",
      "cpuacct.usage_sys": "1000000001\n",
      "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 777\n",
      "memory.usage_in_bytes": "1000\n",
      "memory.max_usage_in_bytes": "2000\n",
      "memory.limit_in_bytes": "8192\n",
      "memory.memsw.limit_in_bytes": "16384\n",
      "memory.memsw.usage_in_bytes": "1500\n",
      "memory.stat": "cache 1\ninactive_file 1\ntotal_cache 300\ntotal_rss 600\ntotal_inactive_file 200\n",
      "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
      "pids.current": "3\n",
      "pids.max": "max\n",
      "blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n8:16 Read 1\nTotal 31\n",
      "blkio.throttle.io_serviced_recursive": "8:0 Read 2\n8:0 Write 3\nTotal 5\n",
    });
    const controllers = Object.fromEntries(["cpu", "cpuacct", "memory", "pids", "blkio"].map((name) => [name, { version: 1 as const, directory }]));
    const paths: CgroupPaths = { controllers, directories: [directory] };
    expect(readStats(paths)).toEqual({
      cpu: { usageNs: 3000000001, userNs: 2000000000, systemNs: 1000000001, periods: 10, throttledPeriods: 4, throttledNs: 777 },
      memory: {
        usageBytes: 1000, workingSetBytes: 800, inactiveFileBytes: 200, maxUsageBytes: 2000, limitBytes: 8192, anonBytes: 600,
        fileBytes: 300, swapBytes: 500, swapLimitBytes: 8192, oomKills: 2,
      },
      pids: { current: 3 },
      io: {
        readBytes: 11, writeBytes: 20, reads: 2, writes: 3,
        devices: [
          { major: 8, minor: 0, readBytes: 10, writeBytes: 20, reads: 2, writes: 3 },
          { major: 8, minor: 16, readBytes: 1, writeBytes: 0, reads: 0, writes: 0 },
        ],
      },
    });
    expect(oomKilled(paths)).toBe(true);
    writeFileSync(join(directory, "memory.limit_in_bytes"), "9223372036854771712\n");
    expect(readStats(paths).memory?.limitBytes).toBeUndefined();
  });

  test("v2", () => {
    const directory = group("v2", {
      "cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n",
      "memory.current": "4096\n",
      "memory.peak": "8192\n",
      "memory.max": "max\n",
      "memory.stat": "anon 1000\nfile 2000\ninactive_file 5000\n",
      "memory.swap.current": "7\n",
      "memory.swap.max": "0\n",
      "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\n",
      "pids.current": "1\n",
      "pids.max": "20\n",
      "io.stat": "254:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=0 dios=0\n7:0 \n",
    });
    const controllers = Object.fromEntries(["cpu", "memory", "pids", "io"].map((name) => [name, { version: 2 as const, directory }]));
    const paths: CgroupPaths = { controllers, unified: directory, directories: [directory] };
    const stats = readStats(paths);
    expect(stats.cpu).toEqual({ usageNs: 5_000_000, userNs: 3_000_000, systemNs: 2_000_000, periods: 1, throttledPeriods: 1, throttledNs: 9000 });
    expect(stats.memory).toEqual({
      usageBytes: 4096, workingSetBytes: 0, inactiveFileBytes: 5000, maxUsageBytes: 8192, anonBytes: 1000, fileBytes: 2000, swapBytes: 7,
      swapLimitBytes: 0, oomKills: 0,
    });
    expect(stats.pids).toEqual({ current: 1, limit: 20 });
    expect(stats.io).toMatchObject({ readBytes: 100, writeBytes: 200, reads: 3, writes: 4 });
    expect(oomKilled(paths)).toBe(false);
  });

  test("a group that is gone has no figures", () => {
    const gone = join(root, "gone");
    expect(readStats({
      controllers: { memory: { version: 1, directory: gone }, pids: { version: 1, directory: gone } },
      unified: gone,
      directories: [gone],
    })).toEqual({});
  });
});
