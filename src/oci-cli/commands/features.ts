import { existsSync } from "node:fs";
import { allCapabilities } from "../../linux/capabilities.ts";
import { mountOptionNames } from "../../linux/mount-options.ts";
import { hostArch } from "../../linux/arch.ts";
import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { print } from "../io.ts";

const ACTIONS = ["ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP"];
const OPERATORS = ["EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"];
const FLAGS = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];

/** features.md: what this runtime knows, whatever this host has. */
export function features(): Record<string, unknown> {
  const archs = hostArch() === "x64" ? ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64"] : ["SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"];
  return {
    ociVersionMin: "1.0.0", ociVersionMax: "1.3.0",
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
      capabilities: allCapabilities(),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: existsSync("/proc/sys/kernel/seccomp"), actions: ACTIONS.map((name) => `SCMP_ACT_${name}`),
        operators: OPERATORS.map((name) => `SCMP_CMP_${name}`), archs,
        knownFlags: FLAGS, supportedFlags: FLAGS,
      },
      apparmor: { enabled: true }, selinux: { enabled: true }, intelRdt: { enabled: false },
      memoryPolicy: {
        modes: ["MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"],
        flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"],
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: { "org.sampan.version": "0.1.0" },
  };
}

export const command: Command = {
  summary: "Print what this runtime can do, as JSON",
  usage: "",
  run(_context, words) {
    positional("features", parseFlags("features", words, []), []);
    print(1, `${JSON.stringify(features(), null, 2)}\n`);
    return Promise.resolve(0);
  },
};
