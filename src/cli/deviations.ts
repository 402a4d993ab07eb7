/**
 * Where Sampan does something else than Docker, knowingly: docs/deviations-from-docker.md is written from this list and from
 * the command tables. Not loaded by any command. What is not in either is meant to be as Docker does it.
 */
export interface Deviation {
  readonly about: string;
  readonly docker: string;
  readonly sampan: string;
  readonly why: string;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    about: "the daemon",
    docker: "`dockerd` runs as root all the time; the client talks to it",
    sampan: "there is none: each command does its work and ends; a monitor of some 60 kB stays with each container",
    why: "nothing to start, to restart or to break all containers at once",
  },
  {
    about: "the start after a reboot",
    docker: "the daemon starts containers by their restart policy",
    sampan: "`sampan system boot` does, once; `contrib/sampan-boot.service` calls it",
    why: "there is no daemon",
  },
  {
    about: "logs",
    docker: "`json-file`, one JSON object a line, grows without bound unless `max-size` is set",
    sampan: "10 MB × 3 files unless `--log-opt` says otherwise; the driver that is called `json-file` writes the text format of Kubernetes' CRI; `none` is the other one; `compress`, `mode=non-blocking` and `max-buffer-size` are refused: rotated files are as they were written, and no line is thrown away",
    why: "an unbounded log fills the disk; a line of text costs the monitor less than one of JSON",
  },
  {
    about: "options of networks that would have no effect",
    docker: "20.10 takes them: an unknown `network create -o`, `--mac-address` with `--network none`",
    sampan: "refused in a sentence, as is `host-gateway` where there is no network; `--ip` is also allowed on a network whose subnet nobody chose",
    why: "who misspells an option learns it now, and not from a network that behaves otherwise",
  },
  {
    about: "an attached client that takes its output too slowly",
    docker: "holds up the container, and all other clients with it",
    sampan: "so does the one that started it (`run`, `start -a`); `attach` is let go instead, says so, and ends with 1",
    why: "somebody who looks on must not stop what he looks at, nor its log",
  },
  {
    about: "the image `host`",
    docker: "an ordinary name",
    sampan: "this machine's own root directory beneath a layer that is thrown away; `host:latest` still names an image of a registry",
    why: "a first container without a download",
  },
  {
    about: "the smallest memory limit",
    docker: "6 MB",
    sampan: "512 KiB: beneath it the kernel kills even a static program at once",
    why: "Docker's minimum makes room for runc, which starts inside the limit",
  },
  {
    about: "limits",
    docker: "some that the host cannot enforce are dropped with a warning",
    sampan: "an error before anything is made; what was set is read back before the program runs",
    why: "a container that is believed to be limited and is not",
  },
  {
    about: "`--cpus` above the number of CPUs",
    docker: "refused",
    sampan: "taken: it is a bound that is not reached on this machine",
    why: "a line with `--cpus 4` runs on a small machine, too",
  },
  {
    about: "read-only bind mounts",
    docker: "recursive since 25.0 on Linux ≥ 5.12, and silently not recursive elsewhere",
    sampan: "always recursive (`mount_setattr(2)`)",
    why: "`:ro` should mean it",
  },
  {
    about: "`--restart on-unhealthy`",
    docker: "not a policy",
    sampan: "starts a container again that its health check calls unhealthy",
    why: "otherwise an unhealthy container needs a second program that looks at it",
  },
  {
    about: "`kill` and the restart policy",
    docker: "any signal counts as a stop by hand, and the policy no longer applies",
    sampan: "only KILL, TERM, INT, QUIT and the container's stop signal do",
    why: "`kill -s HUP` asks a program to read its configuration again, not to stay stopped",
  },
  {
    about: "several mistakes in one line",
    docker: "the first is told",
    sampan: "all are told at once, and nothing has been made",
    why: "nobody has to mend a line four times",
  },
  {
    about: "mistyped commands and flags",
    docker: "the usage",
    sampan: "what was probably meant, and the command that says more",
    why: "that is what one looks for",
  },
  {
    about: "numbers of `-m`",
    docker: "bytes, or with a unit",
    sampan: "the same for `-m` and `--memory`; `--mem` and `--swap`, the teaching engines' flags, are in megabytes",
    why: "their books are followed with Sampan, too",
  },
  {
    about: "single dashes",
    docker: "`-name` is an error",
    sampan: "`-name`, `-net`, `-mem`, `-cpushare`, `-cpuset`, `-rootfs` and `-ti` are known",
    why: "as above",
  },
  {
    about: "`--rootfs DIR`",
    docker: "none",
    sampan: "a directory in place of an image; unchanged, unless `:rw` follows",
    why: "a container without an image",
  },
  {
    about: "the seccomp profile",
    docker: "allows socket families above 40, `socketcall` from any program, TIOCSTI and TIOCLINUX",
    sampan: "refuses them; [decisions/seccomp.md](decisions/seccomp.md) lists each, and what differs from libseccomp",
    why: "each of them is a known way past the filter or into somebody's terminal",
  },
  {
    about: "a profile's calls for a system call ABI that it does not list",
    docker: "the thread is killed",
    sampan: "the process is killed",
    why: "a program that lacks one thread is no safer",
  },
  {
    about: "published ports",
    docker: "iptables rules, and a proxy process per port",
    sampan: "nftables rules in one table of its own, for 127.0.0.1 too; no rule of anybody else's is touched, and no process stays for IPv4",
    why: "fewer processes, and everything can be removed by removing one table",
  },
  {
    about: "after somebody flushed the packet filter",
    docker: "restart the daemon",
    sampan: "`sampan network reload`",
    why: "there is no daemon",
  },
  {
    about: "name resolution",
    docker: "an embedded DNS server on 127.0.0.11 in networks that a person made",
    sampan: "the `hosts` file of each container, kept up to date as others come and go",
    why: "no process; the price: a program that asks a DNS server by itself, without the C library, sees no names of containers",
  },
  {
    about: "names of networks",
    docker: "any text of any length",
    sampan: "letters, digits, `_`, `.` and `-`, as containers' names, and at most 255",
    why: "they are part of names by which containers find each other: `web.net`",
  },
  {
    about: "the container's mounts",
    docker: "the overlay is mounted on the host, under `/var/lib/docker`",
    sampan: "nothing is mounted on the host: root filesystem and volumes exist in the container's mount namespace alone",
    why: "nothing leaks, nothing has to be unmounted, and a deletion cannot run into a volume",
  },
  {
    about: "`volume create --opt type=…`",
    docker: "the local driver mounts anything that mount(8) can: nfs, cifs, ext4, …",
    sampan: "`tmpfs`, and binds (`type=none`, `o=bind`); others are mounted on the host by whoever administers it, and bound",
    why: "a volume of a network's is mounted once, not anew in the namespace of each container",
  },
  {
    about: "`cp` without `-a`",
    docker: "its manual says that what is copied into a container belongs to root; the daemon keeps the numbers of owner and group",
    sampan: "it belongs to root; with `-a` the numbers are kept, both ways",
    why: "as the manual has it: a user of this machine is somebody else in the container",
  },
  {
    about: "`import` of nothing at all",
    docker: "an image without a file",
    sampan: "an error; an empty tar archive is an image without a file",
    why: "it is what a command before the `|` leaves that has failed",
  },
  {
    about: "a current directory that somebody has deleted",
    docker: "of no concern to commands that name no relative path",
    sampan: "every command says so, and does nothing",
    why: "Bun, which runs Sampan, asks for it before any of Sampan's code",
  },
  {
    about: "events",
    docker: "256 are kept in the daemon's memory",
    sampan: "8192 are kept in the database, and outlive every process",
    why: "`events --since` works after the fact",
  },
  {
    about: "events of health checks",
    docker: "`exec_create`, `exec_start` and `exec_die` of every probe, and the change of a verdict",
    sampan: "the change of a verdict",
    why: "a probe every second would push everything else out of what is kept",
  },
  {
    about: "root",
    docker: "has a rootless mode; members of the group `docker` are root in effect",
    sampan: "only root may run it; there is no rootless mode yet",
    why: "said here so that nobody looks for it",
  },
];

/** Docker's commands that Sampan has not. */
export const ABSENT_COMMANDS: Readonly<Record<string, string>> = {
  build: "build with `buildah` or `docker build`, and bring the result in with `sampan load` or a registry",
  "image build": "as `build`",
  builder: "as `build`",
  checkpoint: "processes are not written to disk and brought back",
  config: "Swarm",
  context: "there is one engine, this machine's",
  manifest: "`skopeo` and `buildah` make indexes of images",
  node: "Swarm",
  plugin: "volume, network and log drivers are built in",
  secret: "Swarm",
  service: "Swarm",
  stack: "Swarm",
  swarm: "Sampan serves several machines as a runtime beneath Kubernetes: `sampan-oci`",
  "volume update": "volumes of a Swarm",
  trust: "Docker Content Trust is not supported; pull by digest",
};

/** Docker's flags that no command table here knows: they are told as unknown. */
export const ABSENT_FLAGS: Readonly<Record<string, string>> = {
  "disable-content-trust": "Docker Content Trust is not supported; pull by digest",
  "cpu-rt-period": "real-time scheduling is not supported",
  "cpu-rt-runtime": "real-time scheduling is not supported",
  "kernel-memory": "the kernel no longer has this limit",
  link: "connect both containers to one network of your own",
  kubeconfig: "Docker's own support for Kubernetes has gone",
  "driver-opt": "endpoints have no options",
  "config-from": "Swarm",
  "config-only": "Swarm",
  ingress: "Swarm",
  scope: "Swarm",
  "ipam-driver": "there is one, Sampan's own",
  "ipam-opt": "there is one driver, and it has no options",
  checkpoint: "processes are not written to disk and brought back",
  "checkpoint-dir": "as `--checkpoint`",
  "cpu-count": "Windows' own",
  "cpu-percent": "Windows' own",
  "io-maxbandwidth": "Windows' own",
  "io-maxiops": "Windows' own",
  availability: "volumes of a Swarm",
  cluster: "volumes of a Swarm",
  group: "volumes of a Swarm",
  "limit-bytes": "volumes of a Swarm",
  "required-bytes": "volumes of a Swarm",
  secret: "volumes of a Swarm",
  sharing: "volumes of a Swarm",
  "topology-preferred": "volumes of a Swarm",
  "topology-required": "volumes of a Swarm",
  type: "volumes of a Swarm",
};
