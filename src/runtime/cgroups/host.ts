import type { CgroupHost, Hierarchy, ReadText } from "./types.ts";

interface MountLine {
  id: string;
  parent: string;
  device: string;
  root: string;
  mountpoint: string;
  type: string;
  superOptions: string[];
}

/** proc_pid_mountinfo(5) writes space, tab, newline and backslash as three octal digits. */
function unescape(field: string): string {
  if (!field.includes("\\")) return field;
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

function parseMountLine(line: string): MountLine | undefined {
  // "36 35 98:0 /root /mountpoint options [optional fields…] - type source superoptions"
  const dash = line.indexOf(" - ");
  if (dash < 0) return undefined;
  const [id, parent, device, root, mountpoint] = line.slice(0, dash).split(" ");
  const [type, , superOptions] = line.slice(dash + 3).split(" ");
  if (id === undefined || parent === undefined || device === undefined || root === undefined) return undefined;
  if (mountpoint === undefined || type === undefined) return undefined;
  return {
    id,
    parent,
    device,
    root: unescape(root),
    mountpoint: unescape(mountpoint),
    type,
    superOptions: (superOptions ?? "").split(","),
  };
}

function beneath(path: string, directory: string): boolean {
  if (directory === "/") return path !== "/";
  return path.length > directory.length && path.startsWith(directory) && path[directory.length] === "/";
}

/** Whether a path walk to the mount's mountpoint ends somewhere else because a later mount lies over it. */
function hidden(mount: MountLine, byId: ReadonlyMap<string, MountLine>, byParent: ReadonlyMap<string, MountLine[]>, via?: MountLine): boolean {
  for (const child of byParent.get(mount.id) ?? []) {
    // What lies over an ancestor hides all but what was mounted on that in turn.
    if (child !== via && child !== mount && child.mountpoint === mount.mountpoint) return true;
  }
  for (const sibling of byParent.get(mount.parent) ?? []) {
    if (sibling !== mount && sibling !== via && beneath(mount.mountpoint, sibling.mountpoint)) return true;
  }
  const parent = byId.get(mount.parent);
  return parent !== undefined && parent !== mount && hidden(parent, byId, byParent, mount);
}

/**
 * What control groups this host has, each controller with the hierarchy that has it.
 *
 * A controller's name is compared whole with the mount's options, and only names that the kernel itself lists in
 * `selfCgroup` count as controllers: "cpu" is not found in "cpuset", nor in "release_agent=/cpu".
 *
 * @param mountinfo text of /proc/self/mountinfo
 * @param selfCgroup text of /proc/self/cgroup (cgroups(7))
 * @param read is asked for one file at most: cgroup.controllers at the top of the cgroup2 mount
 */
export function parseCgroupHost(mountinfo: string, selfCgroup: string, read: ReadText): CgroupHost {
  const ownByControllers = new Map<string, string>();
  const known = new Set<string>();
  for (const line of selfCgroup.split("\n")) {
    // "4:cpu,cpuacct:/path", "1:name=systemd:/path", "0::/path": only the path may hold more colons.
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first < 0 || second < 0) continue;
    const controllers = line.slice(first + 1, second).split(",").sort();
    ownByControllers.set(controllers.join(","), line.slice(second + 1));
    for (const controller of controllers) if (controller !== "" && !controller.startsWith("name=")) known.add(controller);
  }

  const candidates: MountLine[] = [];
  const byId = new Map<string, MountLine>();
  const byParent = new Map<string, MountLine[]>();
  for (const line of mountinfo.split("\n")) {
    const mount = parseMountLine(line);
    if (mount === undefined) continue;
    byId.set(mount.id, mount);
    const siblings = byParent.get(mount.parent);
    if (siblings === undefined) byParent.set(mount.parent, [mount]);
    else siblings.push(mount);
    if (mount.type === "cgroup" || mount.type === "cgroup2") candidates.push(mount);
  }

  const chosen = new Map<string, MountLine>();
  for (const mount of candidates) {
    if (hidden(mount, byId, byParent)) continue;
    // One hierarchy may be mounted many times: the one that shows most of it wins, then the usual place.
    const rival = chosen.get(mount.device);
    if (rival === undefined || preference(mount) < preference(rival)) chosen.set(mount.device, mount);
  }

  const hierarchies: Hierarchy[] = [];
  const controllers = new Map<string, Hierarchy>();
  let unified: Hierarchy | undefined;
  for (const mount of chosen.values()) {
    if (mount.type === "cgroup2") {
      const text = read(`${mount.mountpoint}/cgroup.controllers`) ?? "";
      unified = {
        version: 2,
        mountpoint: mount.mountpoint,
        root: mount.root,
        controllers: text.trim().split(" ").filter((name) => name !== ""),
        own: ownByControllers.get("") ?? "/",
      };
      hierarchies.push(unified);
      continue;
    }
    const names = mount.superOptions.filter((option) => known.has(option)).sort();
    const label = mount.superOptions.find((option) => option.startsWith("name="));
    const key = label === undefined ? names : [...names, label].sort();
    hierarchies.push({
      version: 1,
      mountpoint: mount.mountpoint,
      root: mount.root,
      controllers: names,
      ...(label === undefined ? {} : { name: label.slice("name=".length) }),
      own: ownByControllers.get(key.join(",")) ?? "/",
    });
  }
  // The kernel gives a controller to one hierarchy only; v1 is listed first so that a contradiction favours what is mounted.
  for (const hierarchy of [...hierarchies].sort((a, b) => a.version - b.version)) {
    for (const controller of hierarchy.controllers) if (!controllers.has(controller)) controllers.set(controller, hierarchy);
  }
  const v1 = hierarchies.some((hierarchy) => hierarchy.version === 1);
  const version = unified === undefined ? (v1 ? "v1" : "none") : v1 ? "hybrid" : "v2";
  return { version, controllers, hierarchies, ...(unified === undefined ? {} : { unified }) };
}

function preference(mount: MountLine): number {
  return mount.root.length * 2 + (mount.mountpoint.startsWith("/sys/fs/cgroup") ? 0 : 1);
}
