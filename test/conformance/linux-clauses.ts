import { expect } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { parseMountinfo, statusField } from "../support/guest.ts";
import { type Clause, type Config, namespace } from "./harness.ts";

const TYPES = { pid: "pid", network: "net", ipc: "ipc", uts: "uts", mount: "mnt", cgroup: "cgroup" } as const;
const linux = (config: Config): Record<string, unknown> => config.linux;

/** A process in new namespaces of its own, for as long as `work` takes. */
async function withNamespaces<T>(flags: string[], work: (pid: number) => Promise<T>): Promise<T> {
  // With --fork the program is a child of unshare(1), and would outlive it.
  const child = spawn("unshare", [...flags, ...(flags.includes("--fork") ? ["--kill-child"] : []), "sh", "-c", "echo ready; exec sleep 60"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    return await work(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

function userNamespace(config: Config): void {
  namespace(config, "user");
  linux(config)["uidMappings"] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  linux(config)["gidMappings"] = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
}

const BASE = { "defaultAction": "SCMP_ACT_ALLOW" };

/** config-linux.md. */
export const linuxClauses: readonly Clause[] = [
  {
    section: "config-linux.md Namespaces", text: "a namespace without a path is new",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { namespace(config, "cgroup"); });
      for (const name of Object.values(TYPES)) expect(facts.namespaces[name]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    },
  },
  {
    section: "config-linux.md Namespaces", text: "a namespace that is not listed is the runtime's",
    prove: async (runtime) => {
      for (const type of ["ipc", "network", "pid"] as const) {
        const facts = await runtime.facts((config) => {
          config.linux.namespaces = config.linux.namespaces.filter((entry) => entry.type !== type);
          // What cannot be mounted without the namespace.
          config.mounts = config.mounts.filter(({ destination }) => !["/sys", "/sys/fs/cgroup", "/dev/mqueue", "/proc"].includes(destination));
          config.mounts.push({ destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] });
          config.linux.maskedPaths = [];
          config.linux.readonlyPaths = [];
        });
        expect(facts.namespaces[TYPES[type]], type).toBe(readlinkSync(`/proc/self/ns/${TYPES[type]}`));
      }
    },
  },
  {
    section: "config-linux.md Namespaces", text: "a namespace with a path is that one",
    prove: (runtime) => withNamespaces(["--net", "--ipc", "--uts"], async (pid) => {
      const facts = await runtime.facts((config) => {
        delete config.hostname;
        for (const type of ["network", "ipc", "uts"] as const) namespace(config, type).path = `/proc/${pid}/ns/${TYPES[type]}`;
      });
      for (const type of ["network", "ipc", "uts"] as const) expect(facts.namespaces[TYPES[type]], type).toBe(readlinkSync(`/proc/${pid}/ns/${TYPES[type]}`));
    }),
  },
  {
    section: "config-linux.md Namespaces", text: "a pid, cgroup or mount namespace with a path is that one",
    prove: (runtime) => withNamespaces(["--pid", "--fork", "--cgroup", "--mount"], async (pid) => {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      for (const type of ["pid", "cgroup", "mount"] as const) {
        const path = `/proc/${children}/ns/${TYPES[type]}`;
        const facts = await runtime.facts((config) => { namespace(config, type).path = path; });
        expect(facts.namespaces[TYPES[type]], type).toBe(readlinkSync(path));
      }
    }),
  },
  {
    section: "config-linux.md Namespaces", text: "a path that is of another type, or of none, or not there, is an error",
    prove: async (runtime) => {
      await runtime.refuses((config) => { namespace(config, "network").path = "/proc/self/ns/ipc"; });
      await runtime.refuses((config) => { namespace(config, "network").path = "/etc/passwd"; });
      await runtime.refuses((config) => { namespace(config, "network").path = "/proc/none"; });
    },
  },
  {
    section: "config-linux.md Namespaces", text: "a type that is there twice, or not known, is an error",
    prove: async (runtime) => {
      await runtime.refuses((config) => { config.linux.namespaces.push({ type: "ipc" }); });
      await runtime.refuses((config) => { config.linux.namespaces.push({ type: "wormhole" }); });
    },
  },
  {
    section: "config-linux.md User namespace mappings", text: "uidMappings and gidMappings are the container's, and it is root in it",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { userNamespace(config); config.root.readonly = true; });
      expect(facts.uid).toEqual([0, 0, 0]);
      expect(facts.uid_map?.trim().split(/\s+/)).toEqual(["0", "100000", "65536"]);
      expect(facts.gid_map?.trim().split(/\s+/)).toEqual(["0", "200000", "65536"]);
    },
  },
  {
    section: "config-linux.md User namespace mappings", text: "mappings without a user namespace, and a new user namespace without mappings, are errors", notRunc: "takes a new one without mappings",
    prove: async (runtime) => {
      await runtime.refuses((config) => { userNamespace(config); config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "user"); });
      await runtime.refuses((config) => { namespace(config, "user"); });
    },
  },
  {
    section: "config-linux.md Offset for time namespace", text: "the clocks of a new time namespace have the offsets", notRunc: "knows it from 1.2 on",
    prove: async (runtime) => {
      const text = await runtime.sh("cat /proc/uptime; cat /proc/self/timens_offsets", (config) => {
        namespace(config, "time");
        linux(config)["timeOffsets"] = { boottime: { secs: 1_000_000 }, monotonic: { secs: 5, nanosecs: 7 } };
      });
      expect(Number(text.split(" ")[0])).toBeGreaterThan(1_000_000);
      expect(text).toMatch(/monotonic\s+5\s+7/);
      await runtime.refuses((config) => { linux(config)["timeOffsets"] = { boottime: { secs: 1 } }; });
    },
  },
  {
    section: "config-linux.md Devices", text: "devices have the type, number, mode and owner that were asked for",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => {
        linux(config)["devices"] = [
          { type: "c", path: "/dev/conf-char", major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 13 },
          { type: "b", path: "/dev/conf-block", major: 7, minor: 200, fileMode: 0o600 },
          { type: "p", path: "/dev/conf-fifo", fileMode: 0o622 },
        ];
      });
      const named = (name: string): unknown => facts.dev.find((device) => device.name === name);
      expect(named("conf-char")).toMatchObject({ type: "c", major: 1, minor: 5, mode: 0o640, uid: 12, gid: 13 });
      expect(named("conf-block")).toMatchObject({ type: "b", major: 7, minor: 200 });
      expect(named("conf-fifo")).toMatchObject({ type: "p", mode: 0o622 });
    },
  },
  {
    section: "config-linux.md Devices", text: "a file at a device's path that is not that device is an error", notRunc: "replaces or keeps it",
    prove: async (runtime) => { await runtime.refuses((config) => { config.root.readonly = false; linux(config)["devices"] = [{ type: "c", path: "/etc/passwd", major: 1, minor: 3 }]; }); },
  },
  {
    section: "config-linux.md Default Devices", text: "null, zero, full, random, urandom and tty, ptmx, and the links to the descriptors",
    prove: async (runtime) => {
      const { dev } = await runtime.facts();
      for (const [name, major, minor] of [["null", 1, 3], ["zero", 1, 5], ["full", 1, 7], ["random", 1, 8], ["urandom", 1, 9], ["tty", 5, 0]] as const)
        expect(dev.find((device) => device.name === name), name).toMatchObject({ type: "c", major, minor });
      expect(dev.some(({ name }) => name === "ptmx")).toBe(true);
      for (const [name, target] of [["fd", "/proc/self/fd"], ["stdin", "/proc/self/fd/0"], ["stdout", "/proc/self/fd/1"], ["stderr", "/proc/self/fd/2"]] as const)
        expect(dev.find((device) => device.name === name)?.target, name).toBe(target);
    },
  },
  {
    section: "config-linux.md Cgroups Path", text: "an absolute path is taken from the hierarchies' tops; the process is in it",
    prove: async (runtime) => {
      const facts = await runtime.run(["/bin/cat", "/proc/self/cgroup"], (config) => {
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "cgroup");
        config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
      });
      for (const line of facts.stdout.trim().split("\n").filter((entry) => /:(memory|pids|devices|freezer|blkio)/.test(entry))) expect(line).toContain(`/sampan-test-${facts.id}`);
    },
  },
  {
    section: "config-linux.md Cgroups Path", text: "a path that leads out of the hierarchy is an error", notRunc: "cleans it instead",
    prove: async (runtime) => { await runtime.refuses((config) => { config.linux.cgroupsPath = "/a/../../b"; }); },
  },
  {
    section: "config-linux.md Control groups", text: "limits are in force: memory, cpu, pids",
    prove: async (runtime) => {
      const text = await runtime.sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/pids/pids.max", (config) => {
        config.linux.resources = { ...config.linux.resources, memory: { limit: 67_108_864 }, cpu: { quota: 50_000, period: 100_000, shares: 512 }, pids: { limit: 33 } };
      });
      expect(text.trim().split("\n")).toEqual(["67108864", "50000", "512", "33"]);
    },
  },
  {
    section: "config-linux.md Device allowlist", text: "device rules are applied in order: what is denied cannot be opened, what is allowed can",
    prove: async (runtime) => {
      const change = (config: Config): void => {
        config.process.capabilities = { bounding: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"], effective: ["CAP_MKNOD"] };
        linux(config)["devices"] = [{ type: "c", path: "/dev/conf-mouse", major: 10, minor: 1, fileMode: 0o666 }];
      };
      // A device that no driver has: the kernel's rules are asked first, and the driver after them.
      const denied = await runtime.run(["/bin/sh", "-c", ": < /dev/conf-mouse"], change);
      expect(denied.stderr).toContain("Operation not permitted");
      const allowed = await runtime.run(["/bin/sh", "-c", ": < /dev/conf-mouse"], (config) => {
        change(config);
        config.linux.resources = { devices: [{ allow: false, access: "rwm" }, { allow: true, type: "c", major: 10, minor: 1, access: "r" }] };
      });
      expect(allowed.stderr).toContain("No such device");
    },
  },
  {
    section: "config-linux.md Unified", text: "a controller that is not there is an error",
    prove: async (runtime) => { await runtime.refuses((config) => { config.linux.resources = { unified: { "nosuch.max": "1" } }; }); },
  },
  {
    section: "config-linux.md IntelRdt", text: "intelRdt without a resctrl filesystem is an error",
    prove: async (runtime) => { await runtime.refuses((config) => { linux(config)["intelRdt"] = { closID: "group", l3CacheSchema: "L3:0=f" }; }); },
  },
  {
    section: "config-linux.md Sysctl", text: "sysctls of the container's namespaces are set; others are errors",
    prove: async (runtime) => {
      expect((await runtime.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced", (config) => { linux(config)["sysctl"] = { "net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1" }; })).trim()).toBe("1\n1");
      await runtime.refuses((config) => { linux(config)["sysctl"] = { "kernel.pid_max": "1000" }; });
      await runtime.refuses((config) => {
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
        config.mounts = config.mounts.filter(({ type }) => type !== "sysfs" && type !== "cgroup");
        linux(config)["sysctl"] = { "net.ipv4.ip_forward": "1" };
      });
    },
  },
  {
    section: "config-linux.md Seccomp", text: "ERRNO with errnoRet, by name; the mode is a filter",
    prove: async (runtime) => {
      const facts = await runtime.facts((config) => { linux(config)["seccomp"] = { ...BASE, syscalls: [{ names: ["getcwd"], action: "SCMP_ACT_ERRNO", errnoRet: 42 }] }; });
      expect(statusField(facts, "Seccomp")).toBe("2");
      const result = await runtime.run(["/probe", "syscall", "79", "0", "0"], (config) => { config.process.cwd = "/"; linux(config)["seccomp"] = { ...BASE, syscalls: [{ names: ["getcwd"], action: "SCMP_ACT_ERRNO", errnoRet: 42 }] }; });
      expect(result.stdout).toContain("ENOMSG"); // 42
    },
  },
  {
    section: "config-linux.md Seccomp", text: "KILL_PROCESS ends the program with SIGSYS; argument conditions count",
    prove: async (runtime) => {
      const profile = (value: number): Record<string, unknown> => ({ ...BASE, syscalls: [{ names: ["personality"], action: "SCMP_ACT_KILL_PROCESS", args: [{ index: 0, value, op: "SCMP_CMP_EQ" }] }] });
      expect((await runtime.run(["/probe", "syscall", "135", "4294967295"], (config) => { linux(config)["seccomp"] = profile(4_294_967_295); })).exitCode).toBe(128 + 31);
      expect((await runtime.run(["/probe", "syscall", "135", "4294967295"], (config) => { linux(config)["seccomp"] = profile(8); })).exitCode).toBe(0);
    },
  },
  {
    section: "config-linux.md Seccomp", text: "actions, operators, architectures and flags that are not known, and errnoRet where the action has none, are errors",
    prove: async (runtime) => {
      await runtime.refuses((config) => { linux(config)["seccomp"] = { defaultAction: "SCMP_ACT_NONE" }; });
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, architectures: ["SCMP_ARCH_NONE"] }; });
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, syscalls: [{ names: ["getcwd"], action: "SCMP_ACT_ERRNO", args: [{ index: 0, value: 1, op: "SCMP_CMP_NONE" }] }] }; });
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, flags: ["SECCOMP_FILTER_FLAG_NONE"] }; });
    },
  },
  {
    section: "config-linux.md Seccomp", text: "errnoRet is an error where the action has no errno; listenerMetadata is one without listenerPath; names may not be empty", notRunc: "does not look",
    prove: async (runtime) => {
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, syscalls: [{ names: ["getcwd"], action: "SCMP_ACT_KILL", errnoRet: 5 }] }; });
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, listenerMetadata: "x" }; });
      await runtime.refuses((config) => { linux(config)["seccomp"] = { ...BASE, syscalls: [{ names: [], action: "SCMP_ACT_ERRNO" }] }; });
    },
  },
  {
    section: "config-linux.md Seccomp", text: "NOTIFY: the listener and the container process state go to listenerPath in one message",
    prove: async (runtime) => {
      const socket = join(runtime.dir, `agent-${runtime.name}`);
      const out = `${socket}.json`;
      const agent = spawn("python3", ["-c", AGENT, socket, out], { stdio: ["ignore", "pipe", "inherit"] });
      try {
        await once(agent.stdout, "data");
        const result = await runtime.run(["/bin/sh", "-c", "mkdir /tmp/asked; echo $?"], (config) => {
          config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
          linux(config)["seccomp"] = { ...BASE, listenerPath: socket, listenerMetadata: "meta", syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }] };
        });
        expect(result.stdout, result.stderr).toBe("1\n");
        expect(result.stderr).toContain("No medium found"); // ENOMEDIUM, which the agent answered
        const state = JSON.parse(readFileSync(out, "utf8")) as Record<string, unknown>; // containerProcessState
        expect(state).toMatchObject({ fds: ["seccompFd"], metadata: "meta", state: { id: result.id, status: "creating" } });
        expect(Number(state["pid"])).toBeGreaterThan(1);
        if (runtime.name !== "runc") expect(state["closed"]).toBe(true); // runc's stays open until the container ends
      } finally {
        agent.kill("SIGKILL");
      }
    },
  },
  {
    section: "config-linux.md Rootfs Mount Propagation", text: "the root's propagation is what was asked for",
    prove: async (runtime) => {
      for (const [word, expected] of [["private", /^$/], ["shared", /shared:/], ["unbindable", /unbindable/]] as const) {
        const facts = await runtime.facts((config) => { linux(config)["rootfsPropagation"] = word; });
        expect(parseMountinfo(facts.mountinfo).find(({ target }) => target === "/")?.propagation.join(" "), word).toMatch(expected);
      }
      await runtime.refuses((config) => { linux(config)["rootfsPropagation"] = "sideways"; });
    }, notRunc: "of this release shows shared only for mounts that were shared before",
  },
  {
    section: "config-linux.md Masked Paths", text: "a masked file reads as empty, a masked directory lists nothing; a path that is not there does not matter",
    prove: async (runtime) => {
      expect(await runtime.sh("cat /etc/passwd; ls /home", (config) => { config.linux.maskedPaths = ["/etc/passwd", "/home", "/none"]; })).toBe("");
      await runtime.refuses((config) => { config.linux.maskedPaths = ["relative"]; });
    }, notRunc: "takes a relative path",
  },
  {
    section: "config-linux.md Readonly Paths", text: "a read-only path cannot be written",
    prove: async (runtime) => {
      const result = await runtime.run(["/bin/touch", "/home/file"], (config) => { config.root.readonly = false; config.linux.readonlyPaths = ["/home"]; });
      expect(result.stderr).toContain("Read-only");
    },
  },
  {
    section: "config-linux.md Personality", text: "LINUX32 changes what uname says; another domain is an error",
    prove: async (runtime) => {
      if (process.arch === "x64") expect((await runtime.facts((config) => { linux(config)["personality"] = { domain: "LINUX32" }; })).machine).toBe("i686");
      await runtime.refuses((config) => { linux(config)["personality"] = { domain: "SOLARIS" }; });
    }, notRunc: "knows it from 1.2 on",
  },
  {
    section: "config-linux.md Memory policy", text: "the memory policy is set; a mode that is not known is an error", notRunc: "knows it from 1.4 on",
    prove: async (runtime) => {
      expect(await runtime.sh("head -1 /proc/self/numa_maps || echo none", (config) => { linux(config)["memoryPolicy"] = { mode: "MPOL_DEFAULT" }; })).not.toBe("");
      await runtime.refuses((config) => { linux(config)["memoryPolicy"] = { mode: "MPOL_NONE" }; });
    },
  },
  {
    section: "config-linux.md Default Filesystems", text: "proc, sysfs, devpts and shm are there as the config mounts them",
    prove: async (runtime) => {
      const mounts = parseMountinfo((await runtime.facts()).mountinfo);
      for (const [target, type] of [["/proc", "proc"], ["/sys", "sysfs"], ["/dev/pts", "devpts"], ["/dev/shm", "tmpfs"]] as const) expect(mounts.find((mount) => mount.target === target)?.type, target).toBe(type);
    },
  },
];

/** Answers every notification with ENOMEDIUM: receives the listener, writes the state down, then ioctl(SECCOMP_IOCTL_NOTIF_RECV, _SEND). */
const AGENT = `
import array, fcntl, json, os, socket, struct, sys
path, out = sys.argv[1:3]
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.bind(path); s.listen(1)
print("ready", flush=True)
c, _ = s.accept()
fds = array.array("i")
data, anc, flags, addr = c.recvmsg(65536, socket.CMSG_LEN(4))
for level, kind, payload in anc:
    fds.frombytes(payload[:4])
state = json.loads(data)
c.settimeout(2)
try:
    state["closed"] = c.recv(1) == b""
except TimeoutError:
    state["closed"] = False
open(out + ".tmp", "w").write(json.dumps(state)); os.rename(out + ".tmp", out)
fd = fds[0]
while True:
    req = bytearray(80)
    try:
        fcntl.ioctl(fd, 0xc0502100, req)
    except OSError:
        break
    ident = struct.unpack_from("Q", req)[0]
    fcntl.ioctl(fd, 0xc0182101, bytearray(struct.pack("QqiI", ident, 0, -123, 0)))
`;

