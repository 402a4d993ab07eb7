import { describe, expect, test } from "bun:test";
import type { EncodedPlan, Plan } from "../plan/index.ts";
import { encodedPlan } from "../plan/index.ts";
import { fillTemplate, templateOf } from "../plan/template.ts";
import type { ExecLaunch } from "./exec.ts";
import { compileExec } from "./exec.ts";
import type { Described } from "./kept-plans.ts";
import { describeExec, describeOciExec, describeOciLaunch } from "./kept-plans.ts";
import { compileCreate } from "./oci-create.ts";
import type { OciExecLaunch } from "./oci-exec.ts";
import { compileOciExec } from "./oci-exec.ts";
import type { OciLaunch } from "./oci-launch.ts";

/** Ids as Docker makes them, all from one number, so that two containers have none in common. */
const idsOf = (seed: number): { id: string; layer: string; netns: string; pair: string } => {
  const hex = (salt: number, length: number): string =>
    Array.from({ length }, (_, i) => ((seed * 7 + salt * 31 + i * i * 5 + (i >> 2) * seed) % 16).toString(16)).join("").replace(/.$/, "f");
  return { id: hex(1, 64), layer: hex(2, 64), netns: hex(3, 12), pair: `${hex(4, 12)}-${hex(5, 15)}` };
};

/** What dockerd asks of a runtime, as far as names go. */
function dockerLaunch(seed: number, change: Partial<OciLaunch> = {}): OciLaunch {
  const { id, layer, netns, pair } = idsOf(seed);
  const run = `/run/sampan-oci/${id}`;
  return {
    config: {
      ociVersion: "1.3.0", root: { path: `/var/lib/docker/overlay2/${layer}/merged` }, hostname: id.slice(0, 12),
      process: { cwd: "/", args: ["prog", pair], env: ["PATH=/bin:/usr/bin", `HOSTNAME=${id.slice(0, 12)}`], user: { uid: 0, gid: 0 } },
      mounts: [
        { destination: "/etc/hosts", type: "bind", source: `/var/lib/docker/containers/${id}/hosts`, options: ["rbind", "rprivate"] },
        { destination: `/data/${pair}`, type: "tmpfs", source: "tmpfs", options: ["size=1234567890123"] },
      ],
      hooks: { prestart: [{ path: "/usr/bin/dockerd", args: ["libnetwork-setkey", "-exec-root=/run/docker", id, netns] }] },
      linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "network", path: `/run/docker/netns/${netns}` }] },
    },
    host: { arch: "x64", kernel: [6, 1], cgroupMounts: [], lastCapability: 40 }, name: id,
    root: { kind: "directory", path: `/var/lib/docker/overlay2/${layer}/merged` },
    mountPoint: `/var/lib/docker/overlay2/${layer}/merged`, init: false, trace: false, end: "created",
    gate: { gate: `${run}/gate`, told: `${run}/told` }, keepBelow: 3, hookOutput: 3,
    hookEnvironment: [], state: { ociVersion: "1.3.0", id, bundle: `/run/containerd/moby/${id}` }, keyring: `_ses.${id}`, ownStreams: [], idleStreams: [],
    seccomp: { flags: 0, program: Uint8Array.from({ length: 64 }, (_, i) => i) }, birth: { pidFile: `${run}/pid` }, ...change,
  };
}

function dockerExec(seed: number): OciExecLaunch {
  const { id, pair } = idsOf(seed);
  return {
    name: id, process: { cwd: "/", args: ["sh", pair], env: [`HOSTNAME=${id.slice(0, 12)}`] }, linux: undefined, target: 3,
    userNamespace: false, timeNamespace: false, namespaces: new Set(["mnt", "net"]),
    cgroup: { v1TaskFiles: [`/sys/fs/cgroup/memory/docker/${id}/tasks`] }, host: { lastCapability: 40 },
    state: { ociVersion: "1.3.0", id, bundle: `/run/containerd/moby/${id}` }, keepBelow: 3,
    ownStreams: [], idleStreams: [], detach: true, consoleSocket: `/tmp/pty${pair}/pty.sock`,
  };
}

function ownExec(seed: number): { launch: ExecLaunch; ids: string[] } {
  const { id, layer } = idsOf(seed);
  return {
    ids: [id, layer],
    launch: {
      name: `n${seed}`, process: { cwd: "/", args: ["sh"], env: [`HOSTNAME=${id.slice(0, 12)}`] }, target: 3, userNamespace: false,
      cgroup: { v1TaskFiles: [], v2Directory: `/sys/fs/cgroup/sampan/${id}` },
      idleStreams: [0], host: { lastCapability: 40 },
      monitor: {
        detached: true, attach: { stdin: false, stdout: false, stderr: false, leaves: false }, openStdin: false, stdinOnce: true,
        detachKeys: new Uint8Array([16, 17]), finalize: ["/sampan", "system", "finish", id, layer], environment: [],
      },
    },
  };
}

/** One plan, made into another's. */
function filled(plan: Plan, from: Described | undefined, into: Described | undefined): EncodedPlan {
  if (from === undefined || into === undefined) throw new Error("not described");
  expect(into.key).toBe(from.key);
  const template = templateOf(encodedPlan(plan), from.variables);
  if (template === undefined) throw new Error("no template");
  return fillTemplate(template, into.variables);
}

describe("a kept plan, filled in with another container's ids, is the one that would be compiled", () => {
  test("a container of another engine", () => {
    for (const change of [{}, { end: "started" as const }, { noPivot: true, fullMounts: ["/proc"] }, { consoleSocket: "/tmp/s" }]) {
      const [one, two] = [dockerLaunch(3, change), dockerLaunch(8, change)];
      expect(filled(compileCreate(one), describeOciLaunch(one), describeOciLaunch(two))).toEqual(encodedPlan(compileCreate(two)));
    }
  });
  test("one more process of another engine's", () => {
    const [one, two] = [dockerExec(3), dockerExec(8)];
    expect(filled(compileOciExec(one), describeOciExec(one), describeOciExec(two))).toEqual(encodedPlan(compileOciExec(two)));
  });
  test("one more process of our own", () => {
    const [one, two] = [ownExec(3), ownExec(8)];
    expect(filled(compileExec(one.launch), describeExec(one.launch, one.ids), describeExec(two.launch, two.ids))).toEqual(encodedPlan(compileExec(two.launch)));
  });
});

describe("keys", () => {
  const keyOf = (launch: OciLaunch): string | undefined => describeOciLaunch(launch)?.key;
  test("numbers are no names, nor are ids of another length the same name", () => {
    const limited = (size: string): OciLaunch => ({
      ...dockerLaunch(3),
      config: { ...dockerLaunch(3).config, mounts: [{ destination: "/x", type: "tmpfs", source: "tmpfs", options: [`size=${size}`] }] },
    });
    expect(keyOf(limited("1234567890123"))).not.toBe(keyOf(limited("1234567890124")));
    expect(keyOf(limited("abcdefabcdef"))).toBe(keyOf(limited("abcdefabcdee")) ?? "");
    expect(keyOf(limited("abcdefabcdef"))).not.toBe(keyOf(limited("abcdefabcdef0")));
  });
  test("what only looks like a name is none: an escape of JSON's before digits", () => {
    const withArgument = (argument: string): OciLaunch => ({
      ...dockerLaunch(3),
      config: { ...dockerLaunch(3).config, process: { cwd: "/", args: ["prog", argument] } },
    });
    for (const [one, two] of [["\babcdef123456", "\fabcdef123456"], ["\u001fabcdef12", "\u001eabcdef12"]] as const) {
      const [first, second] = [describeOciLaunch(withArgument(one)), describeOciLaunch(withArgument(two))];
      expect(first === undefined || first.key !== second?.key).toBe(true);
    }
    const [one, two] = [withArgument("tab\tline\n\\abcdef123456"), withArgument("tab\tline\n\\abcdef123457")];
    expect(filled(compileCreate(one), describeOciLaunch(one), describeOciLaunch(two))).toEqual(encodedPlan(compileCreate(two)));
  });
  test("bytes count as they are", () => {
    const filter = (text: string): OciLaunch => dockerLaunch(3, { seccomp: { flags: 0, program: Buffer.from(text) } });
    expect(keyOf(filter("abcdefabcdef0000"))).not.toBe(keyOf(filter("abcdefabcdee0000")));
  });
  test("which names are the same matters", () => {
    const { id, layer } = idsOf(3);
    const apart = dockerLaunch(3, { keyring: `_ses.${layer}` });
    expect(keyOf(apart)).not.toBe(keyOf(dockerLaunch(3)));
    expect(keyOf(dockerLaunch(3, { keyring: `_ses.${id}` }))).toBe(keyOf(dockerLaunch(8)) ?? "");
  });
  test("short ids that engines are given stay as they are", () => {
    expect(describeOciLaunch(dockerLaunch(3, { name: "a" }))?.key).toBe(describeOciLaunch(dockerLaunch(3)) === undefined ? "" : keyOf(dockerLaunch(3)) ?? "");
  });
  test("what JSON cannot tell is not kept", () => {
    const base = dockerLaunch(3);
    expect(keyOf({
      ...base,
      config: { ...base.config, process: { cwd: "/", args: ["x"], rlimits: [{ type: "RLIMIT_AS", soft: 2n ** 60n, hard: 2n ** 60n }] } },
    })).toBeUndefined();
    expect(keyOf({ ...base, idMappings: new Map() })).toBeUndefined();
    expect(keyOf({ ...base, lateBinds: new Map() })).toBeUndefined();
    expect(keyOf({ ...base, networkDevices: [] })).toBeUndefined();
    expect(keyOf({ ...base, trace: true })).toBeUndefined();
  });
});
