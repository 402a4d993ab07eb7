// Two hundred containers on one network, started eight at a time.
import { expect, setDefaultTimeout, test } from "bun:test";
import { waitFor } from "../support/command.ts";
import { createHostNetns } from "../support/host-netns.ts";

setDefaultTimeout(300_000);

const COUNT = 200;
const AT_ONCE = 8;

test("each has an address of its own, all are reachable by address and by name, and nothing of them stays", async () => {
  await using world = await createHostNetns();
  const { sandbox, host } = world;
  await sandbox.ok(["network", "create", "--subnet", "10.80.0.0/16", "crowd"]);
  const names = Array.from({ length: COUNT }, (_, i) => `c${String(i).padStart(3, "0")}`);
  const queue = [...names];
  const started = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) await sandbox.ok(["run", "-d", "--rm", "--name", name, "--network", "crowd", "host", "sleep", "600"]);
  }));
  console.log(`${COUNT} containers in ${Math.round(performance.now() - started)} ms`);
  const details = JSON.parse(await sandbox.ok(["network", "inspect", "crowd"])) as [{ Containers: Record<string, { Name: string; IPv4Address: string; MacAddress: string }> }]; // Docker's shape
  const members = Object.values(details[0].Containers);
  expect(members).toHaveLength(COUNT);
  expect(new Set(members.map(({ IPv4Address }) => IPv4Address)).size).toBe(COUNT);
  expect(new Set(members.map(({ MacAddress }) => MacAddress)).size).toBe(COUNT);
  const addresses = members.map(({ IPv4Address }) => IPv4Address.split("/")[0] ?? "");
  const ping = `for a in ${addresses.join(" ")}; do ping -c1 -W5 -n $a >/dev/null & pids="$pids $!"; done; for p in $pids; do wait $p || echo failed; done`;
  expect(host.run("sh", "-c", ping)).toBe("");
  // The first and the last to come know everybody.
  for (const name of [names[0] ?? "", names[COUNT - 1] ?? ""]) {
    const found = await sandbox.ok(["exec", name, "sh", "-c", `getent -s files ahostsv4 ${names[COUNT - 1]} >/dev/null && cat /etc/hosts`]);
    for (const other of names) expect(found).toMatch(new RegExp(`\\t${other} `));
  }
  await sandbox.ok(["rm", "-f", ...names], { timeoutMs: 200_000 });
  // They go with their namespaces, which the kernel takes down one after the other.
  await waitFor("the last interface to be gone", () => !host.run("ip", "-o", "link").includes("spv"), 120_000);
  await sandbox.ok(["network", "rm", "crowd"]);
});
