import { expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { createNetns } from "../support/netns.ts";
import { type Clause, namespace } from "./harness.ts";

const SECTION = "config-linux.md Network Devices";
const NOT_RUNC = "knows them from 1.4 on";

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

interface Link { ifname: string; address: string; mtu: number; flags: string[]; addr_info: { local: string; prefixlen: number; scope: string; broadcast?: string }[] }

/** A veth pair of the machine's for as long as `work` takes; where its ends are by then does not matter. */
async function withDevices(work: (first: string, second: string) => Promise<void>): Promise<void> {
  const [first, second] = [`spt${process.pid}a`, `spt${process.pid}b`];
  ip("link", "add", first, "type", "veth", "peer", "name", second);
  try {
    await work(first, second);
  } finally {
    // One end takes the other along, in whichever namespace that is; what went into a container's own has gone with it.
    for (const name of [first, second]) spawnSync("ip", ["link", "del", name]);
  }
}

/** config-linux.md, "Network Devices". */
export const networkClauses: readonly Clause[] = [
  {
    section: SECTION, text: "a device is moved, and renamed if asked; its address, MTU and permanent addresses of global scope stay, and it is up", notRunc: NOT_RUNC,
    prove: (runtime) => withDevices(async (first, second) => {
      await using netns = await createNetns();
      ip("link", "set", first, "mtu", "1412", "address", "02:00:00:00:12:34");
      ip("address", "add", "198.51.100.7/24", "broadcast", "198.51.100.200", "dev", first);
      ip("address", "add", "2001:db8::7/64", "nodad", "dev", first);
      ip("address", "add", "127.0.5.1/8", "scope", "host", "dev", first);
      const result = await runtime.run(["/bin/cat", "/proc/net/dev"], (config) => {
        namespace(config, "network").path = `/proc/${netns.pid}/ns/net`;
        config.linux["netDevices"] = { [first]: { name: "inside0" }, [second]: {} };
      });
      expect(result.exitCode, result.stderr).toBe(0);
      expect(result.stdout).toContain("inside0:");
      expect(result.stdout).toContain(`${second}:`);
      const [link] = netns.ip("address", "show", "dev", "inside0") as Link[];
      expect(link).toMatchObject({ mtu: 1412, address: "02:00:00:00:12:34" });
      expect(link?.flags).toContain("UP");
      const addresses = link?.addr_info.filter(({ scope }) => scope !== "link").map(({ local, prefixlen, broadcast }) => [local, prefixlen, broadcast]);
      expect(addresses).toEqual([["198.51.100.7", 24, "198.51.100.200"], ["2001:db8::7", 64, undefined]]);
    }),
  },
  {
    section: SECTION, text: "a name that is taken is an error, unless it is a template with %d", notRunc: NOT_RUNC,
    prove: (runtime) => withDevices(async (first) => {
      await using netns = await createNetns();
      netns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth2");
      const into = (name: string) => (config: Parameters<typeof namespace>[0]): void => {
        namespace(config, "network").path = `/proc/${netns.pid}/ns/net`;
        config.linux["netDevices"] = { [first]: { name } };
      };
      expect(await runtime.refuses(into("eth0"))).toContain("eth0");
      ip("link", "show", first); // it is still there
      const result = await runtime.run(["/bin/true"], into("eth%d"));
      expect(result.exitCode, result.stderr).toBe(0);
      const links = netns.ip("link") as Link[];
      expect(links.map(({ ifname }) => ifname).toSorted()).toEqual(["eth0", "eth1", "eth2", "lo"]);
      expect(links.find(({ ifname }) => ifname === "eth1")?.flags).toContain("UP");
    }),
  },
  {
    section: SECTION, text: "a device that is not there, a name that is none, and no network namespace are errors", notRunc: NOT_RUNC,
    prove: async (runtime) => {
      await runtime.refuses((config) => { config.linux["netDevices"] = { nosuchdevice: {} }; });
      await runtime.refuses((config) => { config.linux["netDevices"] = { "a/b": {} }; });
      await runtime.refuses((config) => { config.linux["netDevices"] = { nosuchdevice: { name: "sixteenbytesname" } }; });
      await withDevices(async (first) => {
        await runtime.refuses((config) => {
          config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
          config.linux["netDevices"] = { [first]: {} };
        });
        ip("link", "show", first);
      });
    },
  },
  {
    section: SECTION, text: "a device goes into a new namespace, also of a container with a user namespace", notRunc: NOT_RUNC,
    prove: (runtime) => withDevices(async (first) => {
      const result = await runtime.run(["/bin/ip", "address", "show", "dev", "eth0"], (config) => {
        namespace(config, "user");
        config.linux["uidMappings"] = config.linux["gidMappings"] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
        config.linux["netDevices"] = { [first]: { name: "eth0" } };
      });
      expect(result.exitCode, result.stderr).toBe(0);
      expect(result.stdout).toMatch(/eth0.*[<,]UP[,>]/);
    }),
  },
];
