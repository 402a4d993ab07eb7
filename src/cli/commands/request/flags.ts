import { type FlagTable, type FlagValues, bool, int, list, many, one, string } from "../../flags/flag.ts";
import { parseDnsSearch, parseExtraHost, parseIp, parseIpv4, parseIpv6, parseMac } from "../../parse/address.ts";
import { parseBytesPerSecond, parseDeviceWeight, parseOperationsPerSecond } from "../../parse/block-io.ts";
import { parseBytes } from "../../parse/bytes.ts";
import { parseContainerName } from "../../parse/container-name.ts";
import { parseDevice, parseDeviceRule } from "../../parse/device.ts";
import { parseDuration } from "../../parse/duration.ts";
import { parseEnv, parseLabel, parsePair, parseSysctl } from "../../parse/key-value.ts";
import { parseNetwork } from "../../parse/network.ts";
import { parseExpose, parsePublish } from "../../parse/port.ts";
import { parseCapability, parseSecurityOption, parseStream } from "../../parse/security.ts";
import { parseDetachKeys, parseSignal } from "../../parse/signal.ts";
import { parseUlimit } from "../../parse/ulimit.ts";
import { parseTmpfs } from "../../parse/volume.ts";
import { resourceFlags } from "./resource-flags.ts";
import { unsupported } from "./unsupported.ts";

const realtime = "real-time scheduling is not supported; use --cpu-shares or --cpus";

/** The flags that `run` and `create` share. */
export const creationFlags = {
  ...resourceFlags,
  // What it is
  name: one("string", parseContainerName, "Name it", { singleDash: ["name"] }),
  hostname: string("Its host name", { short: "h" }),
  domainname: string("Its NIS domain name"),
  label: many("list", parseLabel, "Set a label", { short: "l" }),
  "label-file": list("Read labels from a file, one a line"),
  annotation: many("map", parsePair, "Set an OCI annotation"),
  cidfile: string("Write its id to a file"),
  platform: string("Choose a platform of an image that has several: os[/arch[/variant]]"),
  pull: string("When to pull the image: always, missing, never", { shownDefault: '"missing"' }),
  quiet: bool("Say nothing of the pull", { short: "q" }),
  rootfs: string("Use a directory instead of an image, unchanged unless :rw follows", { singleDash: ["rootfs"], valueName: "dir[:rw]" }),
  // What runs in it
  entrypoint: string("Run this instead of the image's entrypoint"),
  env: many("list", parseEnv, "Set an environment variable", { short: "e" }),
  "env-file": list("Read environment variables from a file, one a line"),
  user: string("Run as this user: name|uid[:group|gid]", { short: "u" }),
  "group-add": list("Be in this group too"),
  workdir: string("Start in this directory", { short: "w" }),
  interactive: bool("Keep standard input open", { short: "i" }),
  tty: bool("Give it a terminal", { short: "t" }),
  attach: many("list", parseStream, "Attach to stdin, stdout or stderr alone", { short: "a" }),
  init: bool("Put an init before it that reaps processes"),
  rm: bool("Remove it and its anonymous volumes when it ends"),
  "stop-signal": one("string", (text) => (text === "" ? undefined : parseSignal(text)), "The signal that asks it to stop"),
  "stop-timeout": int("Seconds to wait for it to stop before it is killed", { min: -1 }),
  // What it may touch
  volume: list("Mount a host path or a volume: [source:]target[:options]", { short: "v" }),
  mount: list("Mount with all options: type=bind|volume|tmpfs,source=…,target=…", { valueName: "mount" }),
  tmpfs: many("list", parseTmpfs, "Mount an empty tmpfs: target[:options]"),
  "volumes-from": list("Mount the volumes of another container: container[:ro]"),
  device: many("list", parseDevice, "Let it use a device of the host: host[:container][:rwm]"),
  "device-cgroup-rule": many("list", parseDeviceRule, "Add a rule to the devices that it may use"),
  "blkio-weight-device": many("list", parseDeviceWeight, "Its weight where one disk is contended: /dev/sda:200"),
  "device-read-bps": many("list", parseBytesPerSecond, "Most bytes a second it may read from a device: /dev/sda:1mb"),
  "device-read-iops": many("list", parseOperationsPerSecond, "Most reads a second from a device: /dev/sda:1000"),
  "device-write-bps": many("list", parseBytesPerSecond, "Most bytes a second it may write to a device"),
  "device-write-iops": many("list", parseOperationsPerSecond, "Most writes a second to a device"),
  "read-only": bool("Make its root filesystem read-only"),
  "shm-size": one("bytes", parseBytes, "Size of /dev/shm", { shownDefault: "64m" }),
  privileged: bool("Lift nearly every restriction"),
  "cap-add": many("list", parseCapability, "Give it a capability"),
  "cap-drop": many("list", parseCapability, "Take a capability away"),
  "security-opt": many("list", parseSecurityOption, "no-new-privileges, seccomp=FILE|unconfined, systempaths=unconfined, apparmor=PROFILE"),
  sysctl: many("map", parseSysctl, "Set a kernel parameter of its own namespaces"),
  ulimit: many("ulimit", parseUlimit, "Set a resource limit: name=soft[:hard]"),
  "oom-kill-disable": bool("Never let the kernel kill it for lack of memory"),
  "oom-score-adj": int("How early the kernel kills it for lack of memory, -1000 to 1000"),
  "memory-swappiness": int("How readily its memory is swapped out, 0 to 100"),
  "cgroup-parent": string("Put its cgroup beneath this one"),
  pid: string("Process namespace: host, container:NAME"),
  ipc: string("IPC namespace: private, shareable, host, none, container:NAME"),
  uts: string("Host name namespace: host"),
  userns: string("User namespace: host, private"),
  cgroupns: string("Cgroup namespace: host, private"),
  // How it is reached
  network: many("network", parseNetwork, "Connect it to a network: NAME, none, host, container:NAME, or name=…,alias=…,ip=…", {
    aliases: ["net"],
    singleDash: ["net"],
  }),
  "network-alias": list("Another name for it on the network", { aliases: ["net-alias"] }),
  ip: one("ip", parseIpv4, "Its IPv4 address"),
  ip6: one("ip", parseIpv6, "Its IPv6 address"),
  "link-local-ip": many("list", parseIp, "A link-local address for it"),
  "mac-address": one("string", parseMac, "Its MAC address"),
  publish: many("list", parsePublish, "Publish a port: [ip:][host]:container[/protocol]", { short: "p" }),
  "publish-all": bool("Publish every exposed port at a free one", { short: "P" }),
  expose: many("list", parseExpose, "Expose a port or a range of ports"),
  "add-host": many("list", parseExtraHost, "Add a line to its hosts file: name:address"),
  dns: many("list", parseIp, "Ask this name server"),
  "dns-option": list("Set an option of its resolver", { aliases: ["dns-opt"] }),
  "dns-search": many("list", parseDnsSearch, "Search names in this domain"),
  // How it is watched
  "health-cmd": string("The command that tells whether it is healthy"),
  "health-interval": one("duration", parseDuration, "Time between two health checks", { shownDefault: "30s" }),
  "health-retries": int("Failures in a row that make it unhealthy", { shownDefault: "3" }),
  "health-timeout": one("duration", parseDuration, "Longest time for one health check", { shownDefault: "30s" }),
  "health-start-period": one("duration", parseDuration, "Time at the start in which failures do not count", { shownDefault: "0s" }),
  "health-start-interval": one(
    "duration",
    parseDuration,
    "Time between two health checks in the start period",
    { shownDefault: "5s, or the interval if that is less" },
  ),
  "no-healthcheck": bool("Do not run the image's health check"),
  "log-driver": string("Where its output is kept: json-file, none", { shownDefault: '"json-file"' }),
  "log-opt": many("list", parsePair, "Set an option of its log: max-size, max-file, labels, env, tag"),
  // What Docker has and Sampan has not
  gpus: unsupported("GPUs are not supported; pass the device nodes with --device"),
  link: unsupported("links are not supported; connect both containers to one network of your own"),
  runtime: unsupported("there is one runtime, Sampan's own"),
  isolation: unsupported("isolation technologies are Windows' own"),
  "volume-driver": unsupported('the only volume driver is "local"'),
  "storage-opt": unsupported("storage options are not supported"),
  "cpu-rt-period": unsupported(realtime),
  "cpu-rt-runtime": unsupported(realtime),
  "kernel-memory": unsupported("the kernel no longer has this limit; use --memory"),
} satisfies FlagTable;

/** The flags of `run`. */
export const runFlags = {
  ...creationFlags,
  detach: bool("Leave it running in the background and print its id", { short: "d" }),
  "detach-keys": one("string", parseDetachKeys, "The keys that leave it running", { shownDefault: '"ctrl-p,ctrl-q"' }),
  "sig-proxy": bool("Pass signals on to it", { initial: true, shownDefault: "true" }),
} satisfies FlagTable;

export type CreationValues = FlagValues<typeof creationFlags>;
export type RunValues = FlagValues<typeof runFlags>;
