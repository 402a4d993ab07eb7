/** A machine that has no nft yet: what needs no network of ours runs all the same, what needs one says what to install. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { SAMPAN, busyboxRootfs, createSandbox, run, runOk, type CommandResult, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

/** Where Debian has nft there is nothing, in a mount namespace of the command's own. */
const withoutNft = (...args: string[]): Promise<CommandResult> =>
  run(["unshare", "--mount", "--net", "sh", "-c", 'mount -t tmpfs none /usr/sbin && exec "$@"', "sh", SAMPAN, ...args], { env: sandbox.env });

test("a container for which nobody asked for a network has its loopback, and that is said", async () => {
  const { stdout, stderr, exitCode } = await withoutNft("run", "--rm", "--rootfs", rootfs, "ls", "/sys/class/net");
  expect(stderr).toMatch(/^WARNING: nft is not installed: the container has no network but its own loopback\. Install it \(apt install nftables\)[^\n]*\n$/);
  expect([stdout, exitCode]).toEqual(["lo\n", 0]);
});

test("a network or a port that was asked for is not left out", async () => {
  for (const flags of [["--network", "bridge"], ["-p", "8080:80"]]) {
    const { stderr, exitCode } = await withoutNft("run", "--rm", ...flags, "--rootfs", rootfs, "true");
    expect(stderr).toContain("Cannot set up the packet filter: nft is not installed\nInstall it (apt install nftables)");
    expect(exitCode).toBe(125);
  }
  expect(await sandbox.ok(["ps", "-aq"])).toBe("");
});

/** The same with an nft that answers as it does where the kernel has been built without what it is told to load. */
const withNftThatSays = (reason: string, ...args: string[]): Promise<CommandResult> =>
  run(["unshare", "--mount", "--net", "sh", "-c", 'mount -t tmpfs none /usr/sbin && printf "#!/bin/sh\\ncat >/dev/null; echo \\"/dev/stdin:1:1-9: Error: Could not process rule: $1\\" >&2; exit 1\\n" >/usr/sbin/nft && chmod +x /usr/sbin/nft && shift && exec "$@"', "sh", reason, SAMPAN, ...args], { env: sandbox.env });

test("a kernel that lacks a part of nftables is told as one, with the modules to load, and nothing is made", async () => {
  const before = await sandbox.ok(["ps", "-aq"]);
  for (const [reason, isKernel] of [["Operation not supported", true], ["No such file or directory", true], ["Invalid argument", false]] as const) {
    for (const command of [["network", "create", "mine"], ["run", "--rm", "--network", "bridge", "--rootfs", rootfs, "true"], ["run", "--rm", "-p", "8080:80", "--rootfs", rootfs, "true"]]) {
      const { stderr, exitCode } = await withNftThatSays(reason, ...command);
      expect(stderr).toContain(`Cannot set up the packet filter: Could not process rule: ${reason}\n`);
      expect(stderr.includes("load it (modprobe nf_tables nft_chain_nat nft_masq)")).toBe(isKernel);
      expect(exitCode).toBe(command[0] === "run" ? 125 : 1);
    }
  }
  expect(await sandbox.ok(["ps", "-aq"])).toBe(before);
  expect(await sandbox.ok(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
});

test("once it is installed, the same container has the network bridge", async () => {
  expect((await withoutNft("run", "-d", "--name", "early", "--rootfs", rootfs, "sleep", "1000")).exitCode).toBe(0);
  expect(await sandbox.ok(["inspect", "-f", "[{{.NetworkSettings.IPAddress}}]", "early"])).toBe("[]");
  await sandbox.ok(["restart", "-t", "0", "early"]);
  expect(await sandbox.ok(["exec", "early", "ls", "/sys/class/net"])).toBe("eth0\nlo");
});

test("where nft is taken away while containers run they end, go, and leave their networks; nobody has their addresses before their rules are gone", async () => {
  // A machine of its own that nft can be taken from: what is entered stays as it is between two commands.
  await using stack = new AsyncDisposableStack();
  const machine = Bun.spawn(["unshare", "--mount", "--net", "sh", "-c", "mount -t sysfs sysfs /sys; echo ready; exec sleep 600"], { stdout: "pipe" });
  stack.defer(async () => { machine.kill("SIGKILL"); await machine.exited; });
  await machine.stdout.getReader().read();
  const inside = ["nsenter", "-t", String(machine.pid), "--mount", "--net"];
  const own = stack.use(createSandbox({ executable: ["/usr/bin/nsenter", ...inside.slice(1), SAMPAN] }));
  const start = (name: string, ...flags: string[]): Promise<string> => own.ok(["run", "-d", "--name", name, ...flags, "--rootfs", rootfs, "sleep", "1000"]);
  await own.ok(["network", "create", "back"]);
  await start("web", "-p", "8080:80", "-p", "5353:53/udp");
  await start("brief", "--rm", "-p", "8081:80");
  await start("both", "--network", "back", "-p", "8082:80");
  await own.ok(["network", "connect", "bridge", "both"]);
  await runOk([...inside, "mount", "-t", "tmpfs", "none", "/usr/sbin"]);

  await own.ok(["stop", "-t", "0", "web", "brief"]);
  expect(await own.ok(["ps", "-a", "--format", "{{.Names}} {{.State}}"])).toBe("both running\nweb exited");
  await own.ok(["rm", "web"]);
  await own.ok(["network", "disconnect", "bridge", "both"]);
  await own.ok(["rm", "-f", "both"]);
  await own.ok(["network", "rm", "back"]);
  expect(await own.ok(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
  expect(await own.sampan(["run", "--rm", "--network", "bridge", "--rootfs", rootfs, "true"])).toMatchObject({ exitCode: 125, stderr: expect.stringContaining("nft is not installed") as string });

  await runOk([...inside, "umount", "/usr/sbin"]);
  const rules = (): Promise<string> => runOk([...inside, "nft", "list", "ruleset"]);
  expect(await rules()).toContain("8080");
  await start("next", "-p", "8083:80");
  expect((await rules()).match(/\b80[0-9]{2} : /g)).toEqual(["8083 : "]);
});
