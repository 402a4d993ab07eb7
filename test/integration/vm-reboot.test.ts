// slow
// parallel-safe
// timeout: 1200 s
/**
 * A power cut, for real: what runs when the plug is pulled, what the next boot finds, and what `system boot` makes of it. Docker is
 * the oracle: `always` comes back even if it was stopped by hand, `unless-stopped` only if it was not, `on-failure` because a machine that
 * goes down is a failure (exit code 255).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createVmHost, type Vm, type VmHost } from "../support/vm/index.ts";

const TIMEOUT_MS = 600_000;
let host: VmHost;
let vm: Vm;
beforeAll(async () => {
  host = await createVmHost();
  vm = await host.boot();
}, TIMEOUT_MS);
afterAll(() => host[Symbol.asyncDispose](), TIMEOUT_MS);

const SERVE = `sh -c 'mkdir -p /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www'`;
const FLAGS = "-d --rootfs /srv/rootfs";

async function containers(): Promise<Record<string, string>> {
  const lines = (await vm.ok("sampan ps -a --format '{{.Names}} {{.State}} {{.Status}}'")).split("\n");
  return Object.fromEntries(lines.map((line) => {
    const [name = "", state = "", ...status] = line.split(" ");
    return [name, state === "exited" ? status.slice(0, 2).join(" ") : state];
  }));
}

describe("before", () => {
  test("containers on the default bridge and on a network: published ports, names", async () => {
    await vm.ok("sampan network create net");
    await vm.ok(`sampan run ${FLAGS} --name bridged --restart always -p 8080:80 ${SERVE}`);
    await vm.ok(`sampan run ${FLAGS} --name web --hostname web --restart unless-stopped --network net --network-alias www -p 8081:80 ${SERVE}`);
    expect(await vm.ok("for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://127.0.0.1:8080/ >/dev/null && break; sleep 1; done; wget -qO- http://127.0.0.1:8081/")).toBe("web");
    expect(await vm.ok("sampan run --rm --network net --rootfs /srv/rootfs sh -c 'ping -c1 -W20 web >/dev/null && wget -qO- http://www/' 2>/dev/null")).toBe("web");
  }, TIMEOUT_MS);

  test("one of every kind", async () => {
    await vm.ok("tar -C /srv/rootfs -c . >/root/image.tar && sampan import /root/image.tar image:1 && rm /root/image.tar && sampan volume create kept");
    await vm.ok(`sampan run ${FLAGS} --name on-failure --restart on-failure:3 --network net --ip $(sampan network inspect -f '{{(index .IPAM.Config 0).Gateway}}' net | sed 's/[0-9]*$/77/') sleep 1000`);
    await vm.ok("sampan run -d --name plain -v kept:/v image:1 sh -c 'echo data >/v/file; echo layer >/file; exec sleep 1000'");
    for (const policy of ["always", "unless-stopped"]) await vm.ok(`sampan run ${FLAGS} --name stopped-${policy} --restart ${policy} sleep 1000 && sampan stop -t 0 stopped-${policy}`);
    await vm.ok(`sampan run ${FLAGS} --rm --name with-rm sleep 1000; sampan run ${FLAGS} --name paused sleep 1000; sampan pause paused; sampan create --name created --rootfs /srv/rootfs sleep 1000`);
    expect(await containers()).toEqual({
      bridged: "running", web: "running", "on-failure": "running", plain: "running", "stopped-always": "Exited (137)", "stopped-unless-stopped": "Exited (137)",
      "with-rm": "running", paused: "paused", created: "created",
    });
  }, TIMEOUT_MS);
});

describe("after the power cut", () => {
  test("nothing reads as running, nothing is stale, and --rm has taken its container along", async () => {
    // As for every engine, what was written in the last seconds is the kernel's to lose: see "a second one" below.
    await vm.ok("sync");
    await vm.powerOff();
    vm = await host.boot();
    const gone = "Exited (255)";
    expect(await containers()).toEqual({
      bridged: gone, web: gone, "on-failure": gone, plain: gone, "stopped-always": "Exited (137)", "stopped-unless-stopped": "Exited (137)", paused: gone, created: "created",
    });
    expect(await vm.ok("sampan inspect -f '{{.State.Running}} {{.State.Paused}} {{.State.Pid}} {{.State.OOMKilled}} {{.NetworkSettings.Networks.net.IPAddress}}|' web")).toBe("false false 0 false |");
    expect(await vm.ok("sampan port web; ls /sys/class/net; ls /run/sampan; sampan network inspect -f '{{len .Containers}}' net")).toBe("dummy0\nlo\n0");
  }, TIMEOUT_MS);

  test("system boot starts what should run: addresses, ports and names are there again", async () => {
    expect((await vm.ok("sampan system boot")).split("\n").toSorted()).toEqual(["bridged", "on-failure", "stopped-always", "web"]);
    const gone = "Exited (255)";
    expect(await containers()).toEqual({
      bridged: "running", web: "running", "on-failure": "running", plain: gone, "stopped-always": "running", "stopped-unless-stopped": "Exited (137)", paused: gone, created: "created",
    });
    expect(await vm.ok("sampan inspect -f '{{.NetworkSettings.Networks.net.IPAddress}}' on-failure")).toEndWith(".77");
    expect(await vm.ok("wget -qO- http://127.0.0.1:8080/ >/dev/null; wget -qO- http://127.0.0.1:8081/")).toBe("web");
    expect(await vm.ok("sampan run --rm --network net --rootfs /srv/rootfs sh -c 'ping -c1 -W20 on-failure >/dev/null && wget -qO- http://www/' 2>/dev/null")).toBe("web");
    expect(await vm.ok("sampan system boot")).toBe(""); // they run already
  }, TIMEOUT_MS);

  test("layer and volume are what they were; a container that was not started again can be", async () => {
    expect(await vm.ok("sampan cp plain:/file - | tar -xO; sampan run --rm --network none -v kept:/v image:1 cat /v/file; sampan start plain created")).toBe("layer\ndata\nplain\ncreated");
  }, TIMEOUT_MS);

  test("a second one, with no warning at all: the store is whole, and prune reclaims everything", async () => {
    await vm.ok(`sampan run -d --name last --network net -v lost:/v image:1 sleep 1000`);
    // An image of which the store says that it is there is there, with what its files contain.
    await vm.ok("sampan commit --pause=false plain image:2 && sync -d /var/lib/sampan/*.db*");
    await vm.powerOff();
    vm = await host.boot();
    expect(await vm.ok("sampan run --rm --network none image:2 cat /file")).toBe("layer");
    // What was begun in the last seconds may be there or not; whatever is there has ended.
    const { last: _last, ...others } = await containers();
    expect(Object.values(others).filter((state) => state === "running" || state === "paused")).toEqual([]);
    await vm.ok("sampan rm -f $(sampan ps -aq)");
    await vm.ok("sampan system prune -af --volumes && sampan volume rm -f kept lost");
    expect(await vm.ok("sampan ps -aq; sampan images -q; sampan volume ls -q; sampan network ls --format '{{.Name}}'")).toBe("bridge\nhost\nnone");
    expect(await vm.ok("cd /var/lib/sampan; ls containers volumes; find layers images/blobs -mindepth 2 -type f")).not.toMatch(/[0-9a-f]{64}/);
    expect(await vm.ok("find /sys/fs/cgroup -mindepth 2 -type d; ls /sys/class/net | grep -v -e lo -e dummy0 -e sampan0; ls /run/sampan/containers 2>/dev/null; true")).toBe("");
    expect(await vm.ok("sampan run --rm --rootfs /srv/rootfs echo works 2>/dev/null")).toBe("works");
  }, TIMEOUT_MS);
});
