import { describe, expect, test } from "bun:test";
import { parseCgroupHost } from "./host.ts";

const none = (): undefined => undefined;

/** CentOS 7 and the like: controllers mounted in pairs, and names that contain each other. */
const v1Mounts = `17 60 0:16 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw
60 0 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/root rw,attr2
22 17 0:20 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,mode=755
23 22 0:21 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,xattr,release_agent=/usr/lib/systemd/systemd-cgroups-agent,name=systemd
26 22 0:23 / /sys/fs/cgroup/cpuset rw,relatime shared:11 - cgroup cgroup rw,cpuset
27 22 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:12 - cgroup cgroup rw,cpuacct,cpu
28 22 0:25 / /sys/fs/cgroup/memory rw,relatime shared:13 - cgroup cgroup rw,memory,release_agent=/cpu
29 22 0:26 / /sys/fs/cgroup/net_cls,net_prio rw,relatime shared:14 - cgroup cgroup rw,net_prio,net_cls
`;
const v1Self = `11:cpuset:/
4:memory:/user.slice
3:cpuacct,cpu:/user.slice/a:b
2:net_prio,net_cls:/
1:name=systemd:/user.slice/session-1.scope
`;

const v2Mounts = `21 27 0:19 / /sys rw - sysfs sysfs rw
27 1 259:2 / / rw - ext4 /dev/x rw
33 21 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`;

describe("parseCgroupHost", () => {
  test("v1: controllers mounted together, compared by whole name", () => {
    const host = parseCgroupHost(v1Mounts, v1Self, none);
    expect(host.version).toBe("v1");
    expect(host.controllers.get("cpu")?.mountpoint).toBe("/sys/fs/cgroup/cpu,cpuacct");
    expect(host.controllers.get("cpuacct")).toBe(host.controllers.get("cpu"));
    expect(host.controllers.get("cpu")?.own).toBe("/user.slice/a:b");
    expect(host.controllers.get("cpuset")?.mountpoint).toBe("/sys/fs/cgroup/cpuset");
    expect(host.controllers.get("memory")?.controllers).toEqual(["memory"]);
    expect(host.controllers.get("net_prio")?.mountpoint).toBe("/sys/fs/cgroup/net_cls,net_prio");
    expect([...host.controllers.keys()].sort()).toEqual(["cpu", "cpuacct", "cpuset", "memory", "net_cls", "net_prio"]);
    const systemd = host.hierarchies.find((hierarchy) => hierarchy.name === "systemd");
    expect(systemd?.controllers).toEqual([]);
    expect(systemd?.own).toBe("/user.slice/session-1.scope");
  });

  test("v2: controllers come from the mount's own list", () => {
    const asked: string[] = [];
    const host = parseCgroupHost(v2Mounts, "0::/user.slice/x.scope\n", (path) => {
      asked.push(path);
      return "cpuset cpu io memory hugetlb pids rdma misc\n";
    });
    expect(host.version).toBe("v2");
    expect(host.unified?.own).toBe("/user.slice/x.scope");
    expect(host.controllers.get("io")?.version).toBe(2);
    expect(host.controllers.has("blkio")).toBe(false);
    expect(asked).toEqual(["/sys/fs/cgroup/cgroup.controllers"]);
  });

  test("hybrid: each controller where it is", () => {
    const mounts = `${v1Mounts}41 22 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n`;
    const host = parseCgroupHost(mounts, `${v1Self}0::/\n`, () => "hugetlb\n");
    expect(host.version).toBe("hybrid");
    expect(host.controllers.get("hugetlb")).toMatchObject({ version: 2, mountpoint: "/sys/fs/cgroup/unified" });
    expect(host.controllers.get("memory")?.version).toBe(1);
  });

  test("bind mounts of a group do not stand for the hierarchy", () => {
    const mounts = `90 60 0:25 /docker/ab /mnt/memory rw - cgroup cgroup rw,memory\n${v1Mounts}91 60 0:25 / /mnt/all rw - cgroup cgroup rw,memory\n`;
    expect(parseCgroupHost(mounts, v1Self, none).controllers.get("memory")).toMatchObject({ root: "/", mountpoint: "/sys/fs/cgroup/memory" });
  });

  test("a nested engine sees its own part as the top", () => {
    const mounts = "50 1 0:25 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    expect(parseCgroupHost(mounts, "4:memory:/docker/ab\n", none).controllers.get("memory")?.root).toBe("/docker/ab");
  });

  test("mounts that lie under others are not used", () => {
    // Mounted on the tmpfs's own root: all that was beneath it is out of reach.
    const host = parseCgroupHost(`${v1Mounts}70 22 0:60 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n`, v1Self, () => "memory");
    expect(host.version).toBe("v2");
    expect(host.controllers.get("memory")?.version).toBe(2);
    const stacked = `${v2Mounts}34 33 0:99 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n`;
    expect(parseCgroupHost(stacked, "0::/\n", () => "memory").version).toBe("none");
  });

  test("octal escapes in mount points, and hosts without any", () => {
    const host = parseCgroupHost("9 1 0:9 / /my\\040groups/a\\134b rw - cgroup2 none rw\n", "0::/\n", () => "");
    expect(host.unified?.mountpoint).toBe("/my groups/a\\b");
    expect(host.unified?.controllers).toEqual([]);
    expect(parseCgroupHost("", "", none)).toMatchObject({ version: "none", hierarchies: [] });
  });
});
