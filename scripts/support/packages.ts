/**
 * The tools that the tests call and the Debian package each comes from. Tests compare Sampan with the
 * engines people use today, so those engines are needed; Sampan itself needs none of them but nft.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runStep } from "./process.ts";

export interface ToolPackage {
  /** An executable's name, or an absolute path of a file that the package brings. */
  tool: string;
  /** The first that this release has is taken: Debian 13 parted docker.io's client from it. */
  package: string | readonly [string, string];
}

export const TOOL_PACKAGES: readonly ToolPackage[] = [
  { tool: "gcc", package: "gcc" },
  { tool: "/usr/include/stdio.h", package: "libc6-dev" },
  { tool: "aarch64-linux-gnu-gcc", package: "gcc-aarch64-linux-gnu" },
  { tool: "/usr/aarch64-linux-gnu/include/asm/unistd.h", package: "linux-libc-dev-arm64-cross" },
  { tool: "qemu-aarch64-static", package: "qemu-user-static" },
  { tool: "/bin/busybox", package: "busybox-static" },
  { tool: "/usr/bin/python3", package: "python3-minimal" },
  { tool: "ip", package: "iproute2" },
  { tool: "ping", package: "iputils-ping" },
  { tool: "nft", package: "nftables" },
  { tool: "iptables", package: "iptables" },
  { tool: "ufw", package: "ufw" },
  { tool: "unshare", package: "util-linux" },
  { tool: "script", package: "bsdutils" },
  { tool: "ps", package: "procps" },
  { tool: "strace", package: "strace" },
  { tool: "setfattr", package: "attr" },
  { tool: "getfacl", package: "acl" },
  { tool: "newuidmap", package: "uidmap" },
  { tool: "curl", package: "curl" },
  { tool: "xz", package: "xz-utils" },
  { tool: "bzip2", package: "bzip2" },
  { tool: "nc", package: "netcat-openbsd" },
  { tool: "jq", package: "jq" },
  { tool: "htpasswd", package: "apache2-utils" },
  { tool: "openssl", package: "openssl" },
  { tool: "setcap", package: "libcap2-bin" },
  { tool: "zsh", package: "zsh" },
  { tool: "fish", package: "fish" },
  { tool: "groff", package: "groff-base" },
  { tool: "mandoc", package: "mandoc" },
  // Its pages themselves may be left out on purpose (dpkg's path-exclude), as on Debian's slim images.
  { tool: "/var/lib/dpkg/info/manpages-dev.list", package: "manpages-dev" },
  { tool: "mmdebstrap", package: "mmdebstrap" },
  { tool: "qemu-system-x86_64", package: "qemu-system-x86" },
  { tool: "mke2fs", package: "e2fsprogs" },
  { tool: "crun", package: "crun" },
  { tool: "runc", package: "runc" },
  { tool: "podman", package: "podman" },
  { tool: "conmon", package: "conmon" },
  { tool: "buildah", package: "buildah" },
  { tool: "skopeo", package: "skopeo" },
  { tool: "umoci", package: "umoci" },
  { tool: "containerd", package: "containerd" },
  { tool: "dockerd", package: "docker.io" },
  { tool: "/usr/bin/docker", package: ["docker-cli", "docker.io"] },
  { tool: "docker-registry", package: "docker-registry" },
];

/** Daemons and administration live in sbin, which a person's PATH may lack. */
export const TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function isToolPresent(tool: string): boolean {
  if (tool.startsWith("/")) return existsSync(tool);
  return TOOL_PATH.split(":").some((folder) => existsSync(join(folder, tool)));
}

export function missingTools(): ToolPackage[] {
  return TOOL_PACKAGES.filter((entry) => !isToolPresent(entry.tool));
}

function isDebianFamily(): boolean {
  try {
    const release = readFileSync("/etc/os-release", "utf8");
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release) && isToolPresent("apt-get");
  } catch {
    return false;
  }
}

/**
 * Installs what is missing and prints what and why. Returns the sentence that explains why it could not,
 * or undefined when every tool is there.
 */
export async function ensureTools(say: (line: string) => void): Promise<string | undefined> {
  const missing = missingTools();
  if (missing.length === 0) return undefined;
  const names = missing.map((entry) => `${entry.tool} (${entry.package.toString()})`).join(", ");
  if (!isDebianFamily()) return `Cannot run the tests: missing ${names}; install them, this is not a Debian or Ubuntu system.`;
  if (process.getuid?.() !== 0) return `Cannot run the tests: missing ${names}; run as root to have them installed.`;

  say("The tests need tools that this machine lacks; installing them from the distribution's packages:");
  for (const entry of missing) say(`  ${entry.tool.padEnd(24)} ${entry.package.toString()}`);
  return withDaemonsHeldBack(async () => {
    const problem = (await apt(["update", "-q"])) ?? (await apt(["install", "-qy", "--no-install-recommends", ...(await choosePackages(missing))]));
    if (problem !== undefined) return problem;
    const still = missingTools();
    if (still.length === 0) return undefined;
    return `Cannot run the tests: still missing after the installation: ${still.map((entry) => entry.tool).join(", ")}.`;
  });
}

/** Returns the sentence that says what went wrong. */
async function apt(args: string[]): Promise<string | undefined> {
  const step = await runStep(["apt-get", ...args], { timeoutMs: 900_000, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  if (step.exitCode === 0) return undefined;
  return `Cannot install what the tests need: "apt-get ${args.join(" ")}" ended with ${step.exitCode ?? step.signal}.\n${step.output.trimEnd()}`;
}

async function choosePackages(missing: ToolPackage[]): Promise<string[]> {
  const chosen = new Set<string>();
  for (const { package: wanted } of missing) {
    if (typeof wanted === "string") {
      chosen.add(wanted);
      continue;
    }
    const isKnown = (await runStep(["apt-cache", "show", wanted[0]], { timeoutMs: 60_000 })).exitCode === 0;
    chosen.add(isKnown ? wanted[0] : wanted[1]);
  }
  return [...chosen];
}

const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Packages with daemons (docker.io, containerd) start them on installation unless policy-rc.d says 101;
 * see invoke-rc.d(8). One that is there already is the owner's and stays untouched.
 */
async function withDaemonsHeldBack<T>(work: () => Promise<T>): Promise<T> {
  if (existsSync(POLICY)) return work();
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(POLICY, { force: true });
  }
}
