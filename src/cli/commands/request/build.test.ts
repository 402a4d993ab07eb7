import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemsError } from "../../../base/errors.ts";
import { type RunRequest, emptyRunRequest } from "../../../engine/request.ts";
import { parseFlags } from "../../flags/parse.ts";
import { buildRunRequest } from "./build.ts";
import { runFlags } from "./flags.ts";

const directory = mkdtempSync(join(tmpdir(), "sampan-request-"));
afterAll(() => rmSync(directory, { recursive: true }));
writeFileSync(join(directory, "env"), "# file\nA=1\nFROM_CALLER\nB=x y\n");
writeFileSync(join(directory, "labels"), "from=file\n");
writeFileSync(join(directory, "seccomp.json"), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
writeFileSync(join(directory, "bad.json"), "{");

/** Words separated by blanks; ~ stands for a blank inside a word. */
function request(line: string): RunRequest {
  const { values, given, positionals, problems } = parseFlags(
    runFlags,
    line.split(" ").filter((word) => word !== "").map((word) => word.replaceAll("~", " ")),
    false,
  );
  expect(problems).toEqual([]);
  return buildRunRequest({ flags: values, given, args: positionals, path: "run" }, { env: { FROM_CALLER: "yes" }, cwd: directory });
}

function problemsOf(line: string): readonly string[] {
  try {
    request(line);
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error;
    expect(error.exitCode).toBe(125);
    expect(error.hint).toBe("See 'sampan run --help'.");
    return error.problems;
  }
  return [];
}

describe("run requests", () => {
  test("no flags ask for nothing", () => expect(request("alpine echo hi")).toEqual(emptyRunRequest("alpine", ["echo", "hi"])));

  test.each<[string, Partial<RunRequest>]>([
    ["-d --name web -p 8080:80 -m 64m nginx", {
      detach: true,
      attach: [],
      name: "web",
      ports: [{ hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
      resources: { memoryBytes: 64 << 20 },
    }],
    ["--rm -it host sh -c ls", { remove: true, interactive: true, tty: true, attach: ["stdin", "stdout", "stderr"], command: ["sh", "-c", "ls"] }],
    ["-a stdout x", { attach: ["stdout"] }],
    ["-a STDERR -i x", { attach: ["stdin", "stderr"] }],
    ["-e A=1 -e FROM_CALLER -e UNSET --env-file env x", { env: ["A=1", "FROM_CALLER=yes", "B=x y", "A=1", "FROM_CALLER=yes", "UNSET"] }],
    ["--label-file labels -l a=b -l c x", { labels: { from: "file", a: "b", c: "" } }],
    ["--entrypoint= x", { entrypoint: [""] }],
    ["--entrypoint /bin/sh x -c ls", { entrypoint: ["/bin/sh"], command: ["-c", "ls"] }],
    ["--mem=128 --swap=0 x", { resources: { memoryBytes: 128 << 20, memorySwapBytes: 128 << 20 } }],
    ["-mem 5 -swap=-1 -pids 7 x", { resources: { memoryBytes: 5 << 20, memorySwapBytes: -1, pidsLimit: 7 } }],
    ["-m 5M --memory-swap -1 x", { resources: { memoryBytes: 5 << 20, memorySwapBytes: -1 } }],
    ["-it -rootfs=./root -cpus=0.04 -m=100m -cpuset 0-1 -cpushare 512 sh", {
      image: "",
      rootfs: { path: join(directory, "root"), writable: false },
      command: ["sh"],
      resources: { memoryBytes: 100 << 20, nanoCpus: 40_000_000, cpusetCpus: "0-1", cpuShares: 512 },
    }],
    ["--rootfs /srv/root:rw sh", { rootfs: { path: "/srv/root", writable: true } }],
    ["--cpus 2.5 x", { resources: { nanoCpus: 2_500_000_000 } }],
    ["--device-read-bps /dev/sda:1mb --device-read-bps /dev/sdb:2k --device-write-iops /dev/sda:9 --blkio-weight-device /dev/sda:200 x", { resources: {
      deviceReadBps: [{ path: "/dev/sda", value: 1 << 20 }, { path: "/dev/sdb", value: 2048 }],
      deviceWriteIops: [{ path: "/dev/sda", value: 9 }], blkioWeightDevices: [{ path: "/dev/sda", value: 200 }],
    } }],
    ["--pids-limit -1 x", { resources: { pidsLimit: -1 } }],
    ["-v ./a:/b:ro -v data:/d --tmpfs /t x", { mounts: [
      { type: "bind", source: join(directory, "a"), target: "/b", readonly: true, createSource: true },
      { type: "volume", source: "data", target: "/d", readonly: false },
      { type: "tmpfs", source: "", target: "/t", readonly: false },
    ] }],
    ["--name /web x", { name: "web" }],
    ["-net none x", { networks: [{ network: "none", aliases: [] }] }],
    [
      "--network front --network name=back,alias=b --network-alias f --ip 10.0.0.9 x",
      { networks: [{ network: "front", aliases: ["f"], ipv4: "10.0.0.9" }, { network: "back", aliases: ["b"] }] },
    ],
    ["--mac-address 02:42:AC:11:00:02 x", { networks: [{ network: "bridge", aliases: [], macAddress: "02:42:ac:11:00:02" }] }],
    ["--health-cmd curl~-f --health-interval 1m30s --health-retries 2 x", { health: { test: ["CMD-SHELL", "curl -f"], intervalMs: 90_000, retries: 2 } }],
    ["--no-healthcheck x", { health: { test: ["NONE"] } }],
    ["--ulimit nofile=1 --ulimit nofile=2:3 x", { ulimits: [{ name: "nofile", soft: 2, hard: 3 }] }],
    [
      "--security-opt seccomp=seccomp.json --security-opt no-new-privileges x",
      { securityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', "no-new-privileges"] },
    ],
    ["--stop-signal term --stop-timeout 3 x", { stopSignal: "SIGTERM", stopTimeoutSeconds: 3 }],
    ["--cidfile id x", { cidfile: join(directory, "id") }],
    ["--restart on-failure:3 --log-opt max-size=1m x", { restart: { name: "on-failure", maximumRetryCount: 3 }, logOptions: { "max-size": "1m" } }],
    ["--sig-proxy=false --pull always --platform linux/arm64/v8 x", { sigProxy: false, pull: "always", platform: "linux/arm64/v8" }],
  ])("%s", (line, expected) => expect(request(line)).toMatchObject(expected));

  test("the container's own flags are left alone", () => expect(request("alpine ls -la --name=x").command).toEqual(["ls", "-la", "--name=x"]));
});

describe("bad requests", () => {
  test.each([
    ["--name a/b x", "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"],
    ["-w rel x", "the working directory 'rel' is invalid, it needs to be an absolute path"],
    ["--rm --restart always x", "conflicting options: cannot specify both --restart and --rm"],
    ["-d -a stdin x", "conflicting options: cannot specify both --attach and --detach"],
    ["--pid foo x", "--pid: invalid PID mode"],
    ["--ipc foo x", "--ipc: invalid IPC mode"],
    ["--userns foo x", "--userns: invalid USER mode"],
    ["--memory-swap 1g x", "You should always set the Memory limit when using Memoryswap limit, see usage"],
    ["-m 2g --memory-swap 1g x", "Minimum memoryswap limit should be larger than memory limit, see usage"],
    ["-m 1m --memory-reservation 2m x", "Minimum memory limit can not be less than memory reservation limit, see usage"],
    ["--swap 5 x", "--swap needs a memory limit beside it: set --mem too"],
    ["-m 5m --mem 5 x", "conflicting options: cannot specify both --memory and --mem"],
    ["--cpus 1 --cpu-period 1000 x", "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
    ["--cpu-period 5 x", "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
    ["--cpuset-cpus 3-1 x", "Invalid value 3-1 for cpuset cpus"],
    ["--blkio-weight 5 x", "Range of blkio weight is from 10 to 1000"],
    ["--memory-swappiness 101 x", "invalid value: 101. Valid memory swappiness range is 0-100"],
    ["--oom-score-adj 1001 x", "Invalid value 1001, range for oom score adj is [-1000, 1000]"],
    ["--no-healthcheck --health-cmd x x", "--no-healthcheck conflicts with --health-* options"],
    ["--health-interval -1s x", "--health-interval cannot be negative"],
    ["--pull foo x", `invalid pull option: 'foo': must be one of "always", "missing" or "never"`],
    ["--env-file /nope x", "--env-file: open /nope: no such file or directory"],
    ["--security-opt seccomp=/nope x", "opening seccomp profile (/nope) failed: no such file or directory"],
    ["-v /a:/x -v /b:/x/ x", "Duplicate mount point: /x"],
    ["--mount type=bind x", 'invalid argument "type=bind" for "--mount" flag: target is required'],
    ["--network a --network a x", 'network "a" is specified multiple times'],
    ["--network a --network host x", "conflicting options: cannot attach both user-defined and non-user-defined network-modes"],
    ["--network host --network-alias a x", "network-scoped aliases are only supported for user-defined networks"],
    ["--ip 10.0.0.2 x", "user specified IP address is supported on user defined networks only"],
    ["--network container:web -p 80 x", "conflicting options: port publishing and the container type network mode"],
    ["--uts host -h me x", "conflicting options: hostname and the UTS mode"],
    ["--log-driver syslog x", 'unknown log driver "syslog": use json-file or none'],
    ["--log-opt max-file=x x", `invalid value "x" for log opt 'max-file': it is to be a number from 1 to 999`],
    ["--log-opt max-size=0 x", `invalid value "0" for log opt 'max-size': it is to be a size above 0: 10m`],
    ["--log-opt compress=true x", `invalid value "true" for log opt 'compress': rotated files are not compressed`],
    ["--log-opt mode=non-blocking x", `invalid value "non-blocking" for log opt 'mode': lines are never thrown away, so the mode is always blocking`],
    ["--log-opt labels-regex=( x", `invalid value "(" for log opt 'labels-regex': it is no regular expression`],
    ["--log-opt tag={{.Foo}} x", `invalid value "{{.Foo}}" for log opt 'tag': a tag knows {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageID}}, {{.ImageFullID}}, {{.ImageName}} and {{.DaemonName}}`],
    ["--log-opt colour=red x", "unknown log opt 'colour' for json-file log driver"],
    ["--volumes-from a:zz x", 'invalid volumes-from specification: "a:zz"'],
    ["--platform LINUX! x", 'invalid platform "LINUX!": expected os[/arch[/variant]]'],
  ])("%s", (line, problem) => expect(problemsOf(line)).toEqual([problem]));

  test("all at once", () => {
    expect(problemsOf("--name ! --pid foo --cpu-quota 1 -w rel -v :/x --env-file /nope x")).toHaveLength(6);
    expect(problemsOf("--security-opt seccomp=bad.json x")[0]).toStartWith("compacting json for seccomp profile (bad.json) failed");
  });

  test("what Docker has and Sampan has not is refused by name", () => {
    const { problems } = parseFlags(runFlags, ["--gpus", "all", "--runtime=x", "img"], false);
    expect(problems).toEqual([
      'invalid argument "all" for "--gpus" flag: GPUs are not supported; pass the device nodes with --device',
      'invalid argument "x" for "--runtime" flag: there is one runtime, Sampan\'s own',
    ]);
  });
});
