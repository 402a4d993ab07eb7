import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { CgroupPlan, CgroupWrite } from "./cgroups/index.ts";
import type { ErrnoName } from "../linux/errno.ts";
import { Errno } from "../linux/errno.ts";

function known(names: readonly string[] | undefined): ErrnoName[] {
  return (names ?? []).filter((name): name is ErrnoName => Object.hasOwn(Errno, name));
}

function write(line: Line, setting: CgroupWrite, where: string): void {
  const option = setting.option === undefined ? "" : ` for ${setting.option}`;
  const what = `write "${setting.value}" to "${setting.path}"${option} ${where}`;
  const ignore = known(setting.ignoreErrno);
  const optional = setting.orElse !== undefined || ignore.length > 0;
  const file = line.call("openat", [C.AT_FDCWD, setting.path, C.O_WRONLY | C.O_CLOEXEC, 0], {
    what, why: setting.why, ...(optional ? { tolerate: [...new Set<ErrnoName>([...(setting.orElse ? (["ENOENT"] as const) : []), ...ignore])] } : {}),
  });
  line.call("write", [file, setting.value, Buffer.byteLength(setting.value)], {
    what, why: setting.why, ...(ignore.length > 0 ? { tolerate: ignore } : {}), ...(optional ? { when: { of: file, is: "ok" } } : {}),
  });
  line.call("close", [file], { what, why: "done with it", ...(optional ? { when: { of: file, is: "ok" } } : {}) });
  const { expect, orElse } = setting;
  if (expect !== undefined) {
    const wanted = "equals" in expect ? [expect.equals] : "line" in expect ? [expect.line] : expect.lines;
    const text = new Block(4096, "char[4096]");
    const check = `read back "${expect.path}"${option} ${where}`;
    const readBack = (): void => {
      const again = line.call("openat", [C.AT_FDCWD, expect.path, C.O_RDONLY | C.O_CLOEXEC, 0], {
        what: check,
        why: "a limit counts when the kernel shows it",
      });
      const size = line.call("read", [again, text, 4096], { what: check, why: "what is in force" });
      for (const word of wanted)
        line.find(text, size, word, { what: `${check}: it does not say "${word}"`, why: "the limit is in force before the program runs" });
      line.call("close", [again], { what: check, why: "done with it" });
    };
    if (optional) line.unless({ of: file, is: "failed" }, readBack);
    else readBack();
  }
  if (orElse) {
    const { orElse: _orElse, expect: _expect, ...rest } = setting;
    line.unless({ of: file, is: { not: "ENOENT" } }, () => { write(line, { ...rest, path: orElse.path, value: orElse.value }, where); });
  }
}

export interface CgroupFds {
  /** v1: open files in which the child writes itself. */
  readonly tasks: readonly Call[];
  /** v2: the directory to clone into. */
  readonly directory: Call | undefined;
}

/** Makes the container's groups and sets its limits: before the clone, so that no task of it runs outside of them. */
export function addCgroup(line: Line, cgroup: CgroupPlan, where: string): CgroupFds {
  line.stage("cgroup");
  for (const { path, leaf } of cgroup.directories)
    line.call("mkdirat", [C.AT_FDCWD, path, 0o755], {
      what: `make the cgroup "${path}" ${where}`, why: leaf ? "the container's own group" : "the group that holds Sampan's",
      ...(leaf ? {} : { tolerate: ["EEXIST"] as const }),
    });
  for (const setting of cgroup.writes) write(line, setting, where);
  const fds = openCgroup(line, cgroup.join, where);
  const { owner } = cgroup;
  for (const file of owner && fds.directory ? ["", ...owner.files] : [])
    line.call("fchownat", [fds.directory ?? C.AT_FDCWD, file, owner?.uid ?? 0, 0xffffffff, file === "" ? C.AT_EMPTY_PATH : C.AT_SYMLINK_NOFOLLOW], {
      what: `give the cgroup to user ${owner?.uid ?? 0} ${where}`,
      why: file === "" ? "so that the container can make groups beneath" : "delegated (cgroups(7))",
      ...(file === "" ? {} : { tolerate: ["ENOENT"] as const }),
    });
  if (cgroup.deviceProgram && fds.directory) {
    const what = `attach the device filter ${where}`;
    const load = new Block(120, "union bpf_attr")
      .u32(0, C.BPF_PROG_TYPE_CGROUP_DEVICE).u32(4, cgroup.deviceProgram.length / 8).pointer(8, cgroup.deviceProgram).pointer(16, "Apache-2.0");
    const program = line.call("bpf", [C.BPF_PROG_LOAD, load, 120], { what, why: "cgroup v2 asks a program about devices" });
    const attach = new Block(32, "union bpf_attr").u32(8, C.BPF_CGROUP_DEVICE).u32(12, C.BPF_F_ALLOW_MULTI);
    line.patch(attach, 0, fds.directory, "u32", { why: "the group" });
    line.patch(attach, 4, program, "u32", { why: "the program" });
    line.call("bpf", [C.BPF_PROG_ATTACH, attach, 32], { what, why: "from here on it decides" });
    line.call("close", [program], { what, why: "the group holds it" });
  }
  return fds;
}

/** Opens what a process needs to join groups that exist: for a start, and for an exec. */
export function openCgroup(line: Line, join: CgroupPlan["join"], where: string): CgroupFds {
  const tasks = join.v1TaskFiles.map((path) =>
    line.call("openat", [C.AT_FDCWD, path, C.O_WRONLY | C.O_CLOEXEC, 0], {
      what: `join the cgroup "${path}" ${where}`,
      why: "opened here, written by the process itself",
    }));
  const directory = join.v2Directory === undefined ? undefined
    : line.call("openat", [C.AT_FDCWD, join.v2Directory, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
      what: `open the cgroup "${join.v2Directory}" ${where}`,
      why: "clone3 starts the process in it",
    });
  if (directory === undefined || join.v2Leaf === undefined) return { tasks, directory };
  return { tasks, directory: leafOf(line, directory, join.v2Leaf, where) };
}

/** The group itself, or where it hands controllers on by now a child of it. */
function leafOf(line: Line, directory: Call, leaf: string, where: string): Call {
  const what = `find a cgroup that takes processes ${where}`;
  const first = new Block(8, "char[]");
  const control = line.call("openat", [directory, "cgroup.subtree_control", C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "whether it hands controllers on" });
  const controllers = line.call("read", [control, first, 1], { what, why: "empty if it does not" });
  line.call("close", [control], { what, why: "done with it" });
  line.call("mkdirat", [directory, leaf, 0o755], {
    what,
    why: "the container has made groups of its own: one beside them",
    when: { of: controllers, is: { equal: 1 } },
    tolerate: ["EEXIST"],
  });
  const made = line.call("openat", [directory, leaf, C.O_PATH | C.O_DIRECTORY | C.O_NOFOLLOW | C.O_CLOEXEC, 0], {
    what,
    why: "if it has come to that",
    tolerate: ["ENOENT"],
  });
  const chosen = line.pick(made, directory, { why: "the child, or the group itself" });
  line.call("close", [directory], { what, why: "the other one", when: { of: made, is: "ok" } });
  return chosen;
}

/**
 * The child moves itself. "0" in `tasks` takes no system-wide lock, whereas cgroup.procs waits for an RCU grace period of
 * some 20 ms; for a process with one thread they mean the same (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
 */
export function joinCgroup(line: Line, fds: CgroupFds, where: string): void {
  for (const file of fds.tasks)
    line.call("write", [file, "0", 1], { what: `join the cgroup ${where}`, why: "this single-threaded process, and so all that it will start", expect: 1 });
}
