import { expect } from "bun:test";
import { mkdirSync, writeFileSync, chownSync } from "node:fs";
import { join } from "node:path";
import { parseMountinfo, statusField } from "../support/guest.ts";
import type { Clause, Config } from "./harness.ts";

const extra = (config: Config): Record<string, unknown> => config.process;

/** config.md: root, mounts, process, hostname. */
export const configClauses: readonly Clause[] = [
  {
    section: "config.md Specification version", text: "a version that is no semantic version, or of another major one, is an error", notRunc: "takes any version",
    prove: async (runtime) => {
      for (const version of ["", "abc", "1.0", "2.0.0", "99.1.0"]) await runtime.refuses((config) => { config.ociVersion = version; });
    },
  },
  {
    section: "config.md Root", text: "root.path may be relative to the bundle, and must be a directory",
    prove: async (runtime) => {
      expect(await runtime.sh("echo here", (config) => { config.root.path = "../rootfs"; })).toBe("here\n");
      await runtime.refuses((config) => { config.root.path = "no-such-directory"; });
    },
  },
  {
    section: "config.md Root", text: "readonly: the root filesystem cannot be written; without it, it can",
    prove: async (runtime) => {
      expect((await runtime.run(["/bin/touch", "/should-not-be"])).exitCode).not.toBe(0);
      expect(await runtime.sh("touch /may-be && rm /may-be && echo ok", (config) => { config.root.readonly = false; })).toBe("ok\n");
    },
  },
  {
    section: "config.md Mounts", text: "mounts are made in the listed order",
    prove: async (runtime) => {
      const text = await runtime.sh("ls /tmp; cat /tmp/inner/second; grep -o ' /tmp/inner \\| /tmp \\| /mnt ' /proc/self/mountinfo", (config) => {
        const dir = join(runtime.dir, "ordered");
        mkdirSync(dir, { recursive: true });
        writeFileSync(join(dir, "second"), "second\n");
        config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" }, { destination: "/tmp/inner", type: "bind", source: dir, options: ["bind"] }, { destination: "/mnt", type: "tmpfs", source: "tmpfs" });
      });
      expect(text).toBe("inner\nsecond\n /tmp \n /tmp/inner \n /mnt \n");
    },
  },
  {
    section: "config.md Mounts", text: "a destination that is relative is taken from \"/\"", notRunc: "of this release refuses it",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { config.mounts.push({ destination: "mnt", type: "tmpfs", source: "tmpfs" }); });
      expect(parseMountinfo(facts.mountinfo).some(({ target, type }) => target === "/mnt" && type === "tmpfs")).toBe(true);
    },
  },
  {
    section: "config.md Mounts", text: "ro, rw, nosuid, nodev, noexec, noatime, nodiratime, strictatime and relatime are what the mount table shows",
    prove: async (runtime) => {
      const cases: [string[], string[], string[]][] = [
        [["ro"], ["ro"], ["rw"]], [["rw", "nosuid"], ["rw", "nosuid"], ["ro"]], [["nodev", "noexec"], ["nodev", "noexec"], []],
        [["noatime"], ["noatime"], ["relatime"]], [["nodiratime"], ["nodiratime"], []], [["strictatime"], [], ["relatime", "noatime"]], [["nosuid", "suid"], [], ["nosuid"]],
        [["noexec", "exec", "nodev", "dev"], [], ["noexec", "nodev"]], [["relatime"], ["relatime"], ["noatime"]],
      ];
      for (const [options, has, lacks] of cases) {
        const facts = await runtime.facts((config) => { config.mounts.push({ destination: "/mnt", type: "tmpfs", source: "tmpfs", options }); });
        const mount = parseMountinfo(facts.mountinfo).find(({ target }) => target === "/mnt");
        for (const word of has) expect(mount?.options, options.join()).toContain(word);
        for (const word of lacks) expect(mount?.options, options.join()).not.toContain(word);
      }
    },
  },
  {
    section: "config.md Mounts", text: "bind shows one mount, rbind the tree beneath it too; ro of a bind is its own",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { config.mounts.push({ destination: "/mnt", type: "bind", source: "/proc", options: ["rbind", "ro"] }); });
      expect(parseMountinfo(facts.mountinfo).find(({ target }) => target === "/mnt")?.options).toContain("ro");
    },
  },
  {
    section: "config.md Mounts", text: "rro makes the whole tree read-only", notRunc: "knows it only from 1.2 on in all of its forms",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { config.mounts.push({ destination: "/mnt", type: "bind", source: "/dev", options: ["rbind", "rro"] }); });
      const tree = parseMountinfo(facts.mountinfo).filter(({ target }) => target === "/mnt" || target.startsWith("/mnt/"));
      expect(tree.length).toBeGreaterThan(0);
      for (const mount of tree) expect(mount.options).toContain("ro");
    },
  },
  {
    section: "config.md Mounts", text: "private, slave, shared and unbindable propagation, and the recursive forms",
    prove: async (runtime) => {
      for (const [option, expected] of [["rprivate", /^$/], ["rshared", /shared:/], ["runbindable", /unbindable/], ["private", /^$/], ["shared", /shared:/]] as const) {
        const facts = await runtime.facts((config) => { config.mounts.push({ destination: "/mnt", type: "bind", source: runtime.dir, options: ["rbind", option] }); });
        expect(parseMountinfo(facts.mountinfo).find(({ target }) => target === "/mnt")?.propagation.join(" "), option).toMatch(expected);
      }
    },
  },
  {
    section: "config.md Mounts", text: "uidMappings and gidMappings of a bind mount map the owners of its files", notRunc: "knows id-mapped mounts from 1.2 on",
    prove: async (runtime) => {
      const dir = join(runtime.dir, "idmapped");
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, "file"), "");
      chownSync(join(dir, "file"), 5, 6);
      const mapping = [{ containerID: 0, hostID: 1000, size: 100 }];
      const text = await runtime.sh("stat -c %u:%g /mnt/file", (config) => { config.mounts.push({ destination: "/mnt", type: "bind", source: dir, options: ["bind"], uidMappings: mapping, gidMappings: mapping }); });
      expect(text.trim()).toBe("1005:1006");
      await runtime.refuses((config) => { config.mounts.push({ destination: "/mnt", type: "bind", source: dir, options: ["bind"], uidMappings: mapping }); });
    },
  },
  {
    section: "config.md Process", text: "args, env and cwd are the program's own",
    prove: async (runtime) => {
      const result = await runtime.run(["/bin/sh", "-c", 'pwd; echo "$A"; echo "$0"; echo "$1"', "zero", "two words"], (config) => {
        config.process.cwd = "/home/app";
        config.process.env.push("A=x y");
      });
      expect(result.stdout).toBe("/home/app\nx y\nzero\ntwo words\n");
    },
  },
  {
    section: "config.md Process", text: "cwd must be absolute, and args there",
    prove: async (runtime) => {
      await runtime.refuses((config) => { config.process.cwd = "tmp"; });
      await runtime.refuses((config) => { config.process.args = []; });
    },
  },
  {
    section: "config.md User", text: "uid, gid, additionalGids and umask",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 0o77 }; });
      expect(facts.uid).toEqual([1000, 1000, 1000]);
      expect(facts.gid).toEqual([1001, 1001, 1001]);
      expect(facts.groups.toSorted()).toEqual([5, 6]);
      expect(facts.umask).toBe(0o77);
    },
  },
  {
    section: "config.md User", text: "ids out of range are errors",
    prove: async (runtime) => {
      for (const uid of [-1, 4294967296, "0"]) await runtime.refuses((config) => { config.process.user = { uid, gid: 0 }; });
    },
  },
  {
    section: "config.md POSIX process", text: "rlimits have the soft and hard values that were asked for",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { extra(config)["rlimits"] = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }, { type: "RLIMIT_CORE", soft: 0, hard: 4096 }]; });
      expect(facts.rlimits["nofile"]).toEqual([100, 200]);
      expect(facts.rlimits["core"]).toEqual([0, 4096]);
    },
  },
  {
    section: "config.md POSIX process", text: "an rlimit that is not known is an error",
    prove: async (runtime) => { await runtime.refuses((config) => { extra(config)["rlimits"] = [{ type: "RLIMIT_NONE", soft: 1, hard: 1 }]; }); },
  },
  {
    section: "config.md POSIX process", text: "an rlimit that is there twice is an error",
    prove: async (runtime) => { await runtime.refuses((config) => { extra(config)["rlimits"] = [1, 2].map((soft) => ({ type: "RLIMIT_NOFILE", soft, hard: 4 })); }); }, notRunc: "takes the last",
  },
  {
    section: "config.md Linux process", text: "capabilities: each of the five sets is exactly as asked",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => {
        config.process.capabilities = {
          bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], permitted: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_CHOWN"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"],
        };
      });
      expect(BigInt(`0x${statusField(facts, "CapBnd")}`)).toBe((1n << 0n) | (1n << 5n) | (1n << 7n));
      expect(BigInt(`0x${statusField(facts, "CapInh")}`)).toBe(1n << 5n);
      expect(BigInt(`0x${statusField(facts, "CapAmb")}`)).toBe(1n << 5n);
    },
  },
  {
    section: "config.md Linux process", text: "a capability that is not known is a warning, not an error",
    prove: async (runtime) => {
      const result = await runtime.run(["/bin/echo", "ran"], (config) => { config.process.capabilities = { bounding: ["CAP_NONE", "CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"] }; });
      expect(result.stdout).toBe("ran\n");
    },
  },
  {
    section: "config.md Linux process", text: "noNewPrivileges sets the bit, and without it the bit is not set",
    prove: async (runtime) => {
      expect((await runtime.facts((config) => { extra(config)["noNewPrivileges"] = true; })).no_new_privs).toBe(1);
      expect((await runtime.facts((config) => { extra(config)["noNewPrivileges"] = false; })).no_new_privs).toBe(0);
    },
  },
  {
    section: "config.md Linux process", text: "oomScoreAdj is set where asked, and else left as it was; out of range it is an error",
    prove: async (runtime) => {
      expect((await runtime.facts((config) => { extra(config)["oomScoreAdj"] = 321; })).oom_score_adj?.trim()).toBe("321");
      const { readFileSync } = await import("node:fs");
      expect((await runtime.facts()).oom_score_adj?.trim()).toBe(readFileSync("/proc/self/oom_score_adj", "utf8").trim());
      await runtime.refuses((config) => { extra(config)["oomScoreAdj"] = 1001; });
    },
  },
  {
    section: "config.md Linux process", text: "scheduler: policy, nice and priority", notRunc: "knows it from 1.2 on",
    prove: async (runtime) => {
      const nice = await runtime.sh("cat /proc/self/stat", (config) => { extra(config)["scheduler"] = { policy: "SCHED_BATCH", nice: 7 }; });
      expect(nice.slice(nice.lastIndexOf(")") + 2).split(" ")[16]).toBe("7");
      const policy = await runtime.sh("cat /proc/self/stat", (config) => { extra(config)["scheduler"] = { policy: "SCHED_IDLE" }; });
      // Field 41 of proc_pid_stat(5): SCHED_IDLE is 5.
      expect(policy.slice(policy.lastIndexOf(")") + 2).split(" ")[38]).toBe("5");
      await runtime.refuses((config) => { extra(config)["scheduler"] = { policy: "SCHED_NONE" }; });
    },
  },
  {
    section: "config.md Linux process", text: "ioPriority: class and priority", notRunc: "knows it from 1.2 on",
    prove: async (runtime) => {
      expect((await runtime.sh("ionice", (config) => { extra(config)["ioPriority"] = { class: "IOPRIO_CLASS_BE", priority: 6 }; })).trim()).toContain("prio 6");
      await runtime.refuses((config) => { extra(config)["ioPriority"] = { class: "IOPRIO_CLASS_NONE", priority: 6 }; });
    },
  },
  {
    section: "config.md Linux process", text: "AppArmor profiles and SELinux labels are applied, or an error where the kernel has no such module", notRunc: "ignores a label without SELinux",
    prove: async (runtime) => {
      const { existsSync } = await import("node:fs");
      if (!existsSync("/sys/module/apparmor")) await runtime.refuses((config) => { extra(config)["apparmorProfile"] = "some-profile"; });
      if (!existsSync("/sys/fs/selinux/enforce")) await runtime.refuses((config) => { extra(config)["selinuxLabel"] = "system_u:system_r:svirt_t:s0"; });
    },
  },
  {
    section: "config.md Hostname", text: "hostname and, from 1.1 on, domainname are set in the container's UTS namespace",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { config.hostname = "conformance"; });
      expect(facts.hostname).toBe("conformance");
    },
  },
  {
    section: "config.md Hostname", text: "domainname is set", notRunc: "knows it from 1.2 on",
    prove: async (runtime) => { expect((await runtime.facts((config) => { config["domainname"] = "example.test"; })).domainname).toBe("example.test"); },
  },
  {
    section: "config.md Hostname", text: "hostname without a UTS namespace of the container's own is an error",
    prove: async (runtime) => {
      await runtime.refuses((config) => {
        config.hostname = "would-be-the-hosts";
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "uts");
      });
    },
  },
  {
    section: "config.md Extensibility", text: "properties that are not known are ignored",
    prove: async (runtime) => {
      expect(await runtime.sh("echo ran", (config) => {
        config["org.example"] = { deep: [1] };
        (config.linux as Record<string, unknown>)["unknown"] = "x";
      })).toBe("ran\n");
    },
  },
  {
    section: "config.md Valid values", text: "values of wrong types are errors",
    prove: async (runtime) => {
      await runtime.refuses((config) => { (config.process as Record<string, unknown>)["args"] = "echo"; });
      await runtime.refuses((config) => { (config as Record<string, unknown>)["mounts"] = {}; });
      await runtime.refuses((config) => { extra(config)["terminal"] = "yes"; });
    },
  },
  {
    section: "config.md Annotations", text: "an annotation's key may not be empty", notRunc: "takes it",
    prove: async (runtime) => { await runtime.refuses((config) => { config.annotations = { "": "x" }; }); },
  },
  {
    section: "config.md Process", text: "consoleSize is ignored without a terminal",
    prove: async (runtime) => { expect(await runtime.sh("echo ran", (config) => { extra(config)["consoleSize"] = { height: 10, width: 20 }; })).toBe("ran\n"); },
  },
];

