import { type FlagTable, type FlagValues, int, one, string } from "../../flags/flag.ts";
import { parseBytes, parseBytesOrUnlimited, parseMegabytes, parseMegabytesOrUnlimited, parseNanoCpus } from "../../parse/bytes.ts";
import { parseRestartPolicy } from "../../parse/restart.ts";

/** Limits, as `run`, `create` and `update` take them. */
export const resourceFlags = {
  memory: one("bytes", parseBytes, "Most memory it may use", { short: "m" }),
  mem: one("megabytes", parseMegabytes, "As --memory, a bare number being megabytes", { singleDash: ["mem"], hidden: true }),
  "memory-swap": one("bytes", parseBytesOrUnlimited, "Most memory and swap together; -1 for any amount of swap"),
  swap: one("megabytes", parseMegabytesOrUnlimited, "Most swap beside --mem, a bare number being megabytes; 0 for none", {
    singleDash: ["swap"],
    hidden: true,
  }),
  "memory-reservation": one("bytes", parseBytes, "Memory that it keeps when the host runs short"),
  cpus: one("decimal", parseNanoCpus, "How many CPUs it may use", { singleDash: ["cpus"] }),
  "cpu-shares": int("Its weight where CPUs are contended", { short: "c", aliases: ["cpushare"], singleDash: ["cpushare"] }),
  "cpu-period": int("Length of a CFS period in microseconds"),
  "cpu-quota": int("CPU time in a CFS period in microseconds"),
  "cpuset-cpus": string("The CPUs that it may use (0-3, 0,1)", { aliases: ["cpuset"], singleDash: ["cpuset"] }),
  "cpuset-mems": string("The memory nodes that it may use (0-3, 0,1)"),
  "pids-limit": int("Most processes and threads; -1 for any number", { aliases: ["pids"], singleDash: ["pids"] }),
  "blkio-weight": int("Its weight where disks are contended, 10 to 1000; 0 for the default"),
  restart: one("string", parseRestartPolicy, "When to start it again: no, on-failure[:N], always, unless-stopped, on-unhealthy", { shownDefault: "no" }),
} satisfies FlagTable;

export type ResourceValues = FlagValues<typeof resourceFlags>;
