// What networks refuse: one sentence, Docker's exit code, and nothing made. Needs root, ip, nft.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHostNetns, type HostNetns } from "../support/host-netns.ts";
import { containing } from "../support/matching.ts";

setDefaultTimeout(120_000);

let world: HostNetns;
beforeAll(async () => { world = await createHostNetns(); });
afterAll(async () => { await world[Symbol.asyncDispose](); });

const ok = (...args: string[]): Promise<string> => world.sandbox.ok(args);
const fails = async (...args: string[]): Promise<{ code: number | null; stderr: string }> => {
  const { exitCode, stderr } = await world.sandbox.sampan(args);
  return { code: exitCode, stderr };
};
/** Every interface but the default network's bridge, which whoever asks for it first makes. */
const interfaces = (): string[] => (world.host.ip("link") as { ifname: string }[]).map(({ ifname }) => ifname).filter((name) => !name.startsWith("sampan-")); // ip(8) -j

describe("bad input", () => {
  const cases: [string[], number, string][] = [
    [["network", "create", "--subnet", "10.1.2.3", "x"], 1, "invalid CIDR address: 10.1.2.3"],
    [["network", "create", "--subnet", "10.1.2.0/31", "x"], 1, "too small"],
    [["network", "create", "--subnet", "10.1.2.0/24", "--gateway", "10.1.3.1", "x"], 1, "no matching subnet for gateway 10.1.3.1"],
    [["network", "create", "--subnet", "10.1.2.0/24", "--gateway", "10.1.2.255", "x"], 1, "broadcast address"],
    [["network", "create", "--subnet", "224.1.2.0/24", "x"], 1, "not a block of unicast addresses"],
    [["network", "create", "-d", "overlay", "x"], 1, "could not find plugin overlay"],
    [["network", "create", "-o", "colour=red", "x"], 1, "unknown option colour"],
    [["network", "create", "-o", "bridge=abcdefghijklmnop", "x"], 1, "1 to 15"],
    [["network", "create", "a b"], 1, "invalid network name"],
    [["network", "create", "bridge"], 1, "operation is not permitted on predefined bridge network"],
    [["network", "create", "n".repeat(300)], 1, "it is 300 characters long"],
    [["network", "create", "-d", "host", "x"], 1, 'only one instance of "host" network is allowed'],
    [["network", "create", "--subnet", "10.1.2.0/33", "x"], 1, "invalid CIDR address: 10.1.2.0/33"],
    [["network", "create", "--subnet", "10.1.2.0/32", "x"], 1, "too small"],
    [["network", "create", "--subnet", "10.1.2.0/24", "--ip-range", "10.1.3.0/25", "x"], 1, "no matching subnet for range 10.1.3.0/25"],
    [["network", "create", "--subnet", "10.1.2.0/24", "--aux-address", "a=10.1.2.1", "x"], 1, "it is the gateway"],
    [["network", "create", "--subnet", "10.1.2.0/24", "--subnet", "10.1.3.0/24", "x"], 1, "one IPv4 subnet"],
    [["network", "create", "--subnet", "198.51.100.0/25", "x"], 1, "Pool overlaps with other one on this address space"],
    [["network", "create"], 1, "requires"],
    [["network", "rm", "nope"], 1, "network nope not found"],
    [["network", "inspect", "nope"], 1, "nope"],
    [["network", "connect", "nope", "nobody"], 1, "No such container: nobody"],
    [["network", "disconnect", "nope", "nobody"], 1, "No such container: nobody"],
    [["network", "disconnect", "-f", "bridge", "nobody"], 1, "endpoint nobody not found"],
    [["network", "disconnect", "-f", "nope", "nobody"], 1, "network nope not found"],
    [["network", "connect", "bridge", "nobody"], 1, "No such container: nobody"],
    [["run", "--rm", "--network", "nope", "host", "true"], 125, "network nope not found"],
    [["run", "--rm", "--network", "constructor", "host", "true"], 125, "network constructor not found"],
    [["run", "--rm", "--network", "container:nope", "host", "true"], 125, "No such container: nope"],
    [["run", "--rm", "--ip", "172.17.0.9", "host", "true"], 125, "user specified IP address is supported on user defined networks only"],
    [["run", "--rm", "--mac-address", "01:00:00:00:00:01", "host", "true"], 125, "mac"],
    [["run", "--rm", "-p", "0:0", "host", "true"], 125, "invalid containerPort: 0"],
    [["run", "--rm", "-p", "80:http", "host", "true"], 125, "invalid containerPort: http"],
    [["run", "--rm", "-p", "70000:80", "host", "true"], 125, "invalid hostPort: 70000"],
    [["run", "--rm", "-p", "300.1.1.1:80:80", "host", "true"], 125, "invalid IP address: 300.1.1.1"],
    [["run", "--rm", "-p", "80:80/icmp", "host", "true"], 125, "invalid proto: icmp"],
    [["run", "--rm", "-p", "", "host", "true"], 125, "no port specified"],
    [["run", "--rm", "-p", "0-10:80", "host", "true"], 125, "invalid hostPort: 0-10"],
    [["run", "--rm", "-p", "target=80,colour=red", "host", "true"], 125, "invalid field key colour"],
    [["run", "--rm", "-p", "192.0.2.99:80:80", "host", "true"], 125, "cannot assign requested address"],
    [["run", "--rm", "-p", "8000-8002:80-81", "host", "true"], 125, "invalid ranges specified"],
    [["run", "--rm", "-p", "7373:80", "-p", "7373:81", "host", "true"], 125, "already allocated"],
    [["run", "--rm", "--add-host", "nonsense", "host", "true"], 125, "add-host"],
    [["run", "--rm", "--dns", "nonsense", "host", "true"], 125, "nonsense"],
    [["run", "--rm", "--link-local-ip", "10.0.0.1", "host", "true"], 125, "link"],
  ];
  test.each(cases)("%p", async (args, code, words) => {
    const before = interfaces();
    const result = await fails(...args);
    expect(result.stderr).toContain(words);
    expect(result.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(5);
    expect(result.code).toBe(code);
    expect(interfaces()).toEqual(before);
    expect(await ok("ps", "-aq")).toBe("");
    expect(await ok("network", "ls", "-q", "--filter", "type=custom")).toBe("");
  });

  test("an address that is taken, reserved or outside", async () => {
    await ok("network", "create", "--subnet", "10.95.0.0/24", "back");
    for (const [address, words] of [["10.95.0.1", "gateway"], ["10.95.0.0", "network address"], ["10.95.0.255", "broadcast"], ["10.96.0.1", "does not belong"], ["fd00::1", "IPv"]] as const) {
      const result = await fails("run", "--rm", "--network", "back", "--ip", address, "host", "true");
      expect(result).toEqual({ code: 125, stderr: containing(words) });
    }
    expect(await ok("ps", "-aq")).toBe("");
  });
});

