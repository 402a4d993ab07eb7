/**
 * A machine's network of a test's own: a namespace that `sampan` takes for the host's, and one for the outside, with a wire between.
 * Whatever is made in them goes with them; sysctls, rules and routes of the real machine are never touched.
 */
import { join } from "node:path";
import { waitFor } from "./command.ts";
import { createNetns, type Netns } from "./netns.ts";
import { createSandbox, SAMPAN, type Sandbox } from "./sandbox.ts";
import { answersOf, CLIENT, SERVER, type Answers } from "./traffic.ts";

/** /sys shows the namespace of whoever mounted it, so that is mounted anew; the machine's cgroups stay in it. */
const ENTER = `set -e
cgroups=$(mktemp -d); mount --rbind /sys/fs/cgroup "$cgroups"; mount -t sysfs sysfs /sys
mount --rbind "$cgroups" /sys/fs/cgroup; umount -l "$cgroups"; rmdir "$cgroups"; exec "$@"`;

/** SAMPAN_DIST is where the build put it, if not into dist/. */
export const EXECUTABLE = process.env["SAMPAN_DIST"] === undefined ? SAMPAN : join(process.env["SAMPAN_DIST"], "sampan");

export interface HostNetns extends AsyncDisposable {
  /** 198.51.100.1 and 2001:db8::1 on "wan"; forwarding off. */
  readonly host: Netns;
  /** 198.51.100.9 and 2001:db8::9, with a SERVER called "outside". */
  readonly outside: Netns;
  /** argv before a command that is to see `host` as the host. */
  readonly enter: readonly string[];
  /** Its `sampan` sees `host` as the host. */
  readonly sandbox: Sandbox;
  /** Asks from a namespace; see CLIENT. */
  ask(from: Netns, ...specs: string[]): Answers;
  /** Asks from a running container. */
  askFrom(container: string, ...specs: string[]): Promise<Answers>;
  /** Starts SERVER in a container of this machine's own root; resolves when it answers. Gives back the id. */
  serve(name: string, ...flags: string[]): Promise<string>;
}

export async function createHostNetns(): Promise<HostNetns> {
  const stack = new AsyncDisposableStack();
  try {
    const host = stack.use(await createNetns());
    const outside = stack.use(await createNetns());
    host.run("ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", outside.name);
    host.run("sh", "-c", "ip addr add 198.51.100.1/24 dev wan; ip addr add 2001:db8::1/64 dev wan nodad; ip link set wan up");
    // The outside knows a way to the containers by the host: it must not help it.
    outside.run("sh", "-c", "ip addr add 198.51.100.9/24 dev eth0; ip addr add 2001:db8::9/64 dev eth0 nodad; ip link set eth0 up; ip route add 172.16.0.0/12 via 198.51.100.1; ip route add 10.0.0.0/8 via 198.51.100.1; ip -6 route add fc00::/7 via 2001:db8::1");
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
    await outside.serve("/usr/bin/python3", "-c", SERVER, "outside");
    const enter = ["/usr/bin/nsenter", `--net=/run/netns/${host.name}`, "/usr/bin/unshare", "-m", "sh", "-c", ENTER, "sh"];
    const sandbox = stack.use(createSandbox({ executable: [...enter, EXECUTABLE] }));
    const askFrom: HostNetns["askFrom"] = async (container, ...specs) => answersOf(specs, await sandbox.ok(["exec", container, "/usr/bin/python3", "-c", CLIENT, ...specs]));
    return {
      host, outside, enter, sandbox, askFrom,
      ask: (from, ...specs) => answersOf(specs, from.run("/usr/bin/python3", "-c", CLIENT, ...specs)),
      async serve(name, ...flags) {
        const id = await sandbox.ok(["run", "-d", "--name", name, ...flags, "host", "/usr/bin/python3", "-c", SERVER, name]);
        await waitFor(`the server in container "${name}"`, async () => (await sandbox.ok(["logs", name])).includes("ready"), 60_000);
        return id;
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
