/**
 * The kernel's numbers back into their names, for people. Tables of "NAME value" lines per set, split when first asked;
 * a set is either one of its names (an enumeration) or several joined by "|".
 * Sources: include/uapi/linux/{fcntl,openat2,mount,sched,prctl,seccomp,bpf,close_range,stat}.h of Linux 6.18, and the
 * man pages named beside each set in src/plan/signatures.ts.
 */
const ARM = process.arch === "arm64";

const FLAGS: Readonly<Record<string, string>> = {
  open: `O_WRONLY 1,O_RDWR 2,O_CREAT 0o100,O_EXCL 0o200,O_NOCTTY 0o400,O_TRUNC 0o1000,O_APPEND 0o2000,O_NONBLOCK 0o4000,
    ${ARM ? "O_DIRECTORY 0o40000,O_NOFOLLOW 0o100000" : "O_DIRECTORY 0o200000,O_NOFOLLOW 0o400000"},O_CLOEXEC 0o2000000,O_PATH 0o10000000`,
  fd: "O_CLOEXEC 0o2000000,O_NONBLOCK 0o4000",
  at: "AT_SYMLINK_NOFOLLOW 0x100,AT_REMOVEDIR 0x200,AT_EMPTY_PATH 0x1000,AT_RECURSIVE 0x8000",
  resolve: "RESOLVE_NO_XDEV 1,RESOLVE_NO_MAGICLINKS 2,RESOLVE_NO_SYMLINKS 4,RESOLVE_BENEATH 8,RESOLVE_IN_ROOT 16",
  clone: `CLONE_NEWTIME 0x80,CLONE_PIDFD 0x1000,CLONE_PARENT 0x8000,CLONE_NEWNS 0x20000,CLONE_NEWCGROUP 0x2000000,CLONE_NEWUTS 0x4000000,
    CLONE_NEWIPC 0x8000000,CLONE_NEWUSER 0x10000000,CLONE_NEWPID 0x20000000,CLONE_NEWNET 0x40000000,CLONE_INTO_CGROUP 0x200000000`,
  mount: `MS_RDONLY 1,MS_NOSUID 2,MS_NODEV 4,MS_NOEXEC 8,MS_REMOUNT 0x20,MS_BIND 0x1000,MS_MOVE 0x2000,MS_REC 0x4000,MS_UNBINDABLE 0x20000,
    MS_PRIVATE 0x40000,MS_SLAVE 0x80000,MS_SHARED 0x100000`,
  umount: "MNT_FORCE 1,MNT_DETACH 2,MNT_EXPIRE 4,UMOUNT_NOFOLLOW 8",
  fsopen: "FSOPEN_CLOEXEC 1",
  fsmount: "FSMOUNT_CLOEXEC 1",
  moveMount: "MOVE_MOUNT_F_EMPTY_PATH 4,MOVE_MOUNT_T_EMPTY_PATH 0x40,MOVE_MOUNT_SET_GROUP 0x100,MOVE_MOUNT_BENEATH 0x200",
  openTree: "OPEN_TREE_CLONE 1,AT_EMPTY_PATH 0x1000,AT_RECURSIVE 0x8000,OPEN_TREE_CLOEXEC 0o2000000",
  mountAttr: `MOUNT_ATTR_RDONLY 1,MOUNT_ATTR_NOSUID 2,MOUNT_ATTR_NODEV 4,MOUNT_ATTR_NOEXEC 8,MOUNT_ATTR_NOATIME 0x10,MOUNT_ATTR_STRICTATIME 0x20,
    MOUNT_ATTR_NODIRATIME 0x80,MOUNT_ATTR_IDMAP 0x100000,MOUNT_ATTR_NOSYMFOLLOW 0x200000`,
  closeRange: "CLOSE_RANGE_UNSHARE 2,CLOSE_RANGE_CLOEXEC 4",
  seccompFilter: "SECCOMP_FILTER_FLAG_TSYNC 1,SECCOMP_FILTER_FLAG_LOG 2,SECCOMP_FILTER_FLAG_SPEC_ALLOW 4,SECCOMP_FILTER_FLAG_NEW_LISTENER 8,SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32",
  message: "MSG_PEEK 2,MSG_DONTWAIT 0x40,MSG_NOSIGNAL 0x4000,MSG_CMSG_CLOEXEC 0x40000000",
  socketType: "SOCK_NONBLOCK 0o4000,SOCK_CLOEXEC 0o2000000",
  bpfAttach: "BPF_F_ALLOW_OVERRIDE 1,BPF_F_ALLOW_MULTI 2,BPF_F_REPLACE 4",
  monitor: "TTY 1,STDIN_ONCE 2,DURABLE 4,DETACHED 8,KEEP_STDIN 16",
  streams: "stdin 1,stdout 2,stderr 4,leaves 8",
  access: "X_OK 1,W_OK 2,R_OK 4",
};

const VALUES: Readonly<Record<string, string>> = {
  fsconfig: "FSCONFIG_SET_FLAG 0,FSCONFIG_SET_STRING 1,FSCONFIG_SET_BINARY 2,FSCONFIG_SET_PATH 3,FSCONFIG_SET_PATH_EMPTY 4,FSCONFIG_SET_FD 5,FSCONFIG_CMD_CREATE 6,FSCONFIG_CMD_RECONFIGURE 7",
  prctl: "PR_SET_PDEATHSIG 1,PR_SET_DUMPABLE 4,PR_SET_KEEPCAPS 8,PR_CAPBSET_DROP 24,PR_SET_NO_NEW_PRIVS 38,PR_CAP_AMBIENT 47",
  ambient: "PR_CAP_AMBIENT_IS_SET 1,PR_CAP_AMBIENT_RAISE 2,PR_CAP_AMBIENT_LOWER 3,PR_CAP_AMBIENT_CLEAR_ALL 4",
  seccomp: "SECCOMP_SET_MODE_STRICT 0,SECCOMP_SET_MODE_FILTER 1",
  family: "AF_UNSPEC 0,AF_UNIX 1,AF_INET 2,AF_INET6 10,AF_NETLINK 16",
  socket: "SOCK_STREAM 1,SOCK_DGRAM 2,SOCK_RAW 3,SOCK_SEQPACKET 5",
  ioctl: "TCSETS 0x5402,TIOCSCTTY 0x540e,TIOCGWINSZ 0x5413,TIOCSWINSZ 0x5414,TIOCGPTPEER 0x5441,TIOCSPTLCK 0x40045431,SIOCGIFFLAGS 0x8913,SIOCSIFFLAGS 0x8914",
  fcntl: "F_DUPFD 0,F_GETFD 1,F_SETFD 2,F_GETFL 3,F_SETFL 4,F_DUPFD_CLOEXEC 1030,F_SETPIPE_SZ 1031",
  sockopt: "SOL_SOCKET 1,SOL_NETLINK 270",
  netlinkOption: "NETLINK_CAP_ACK 10,NETLINK_EXT_ACK 11",
  sigmask: "SIG_BLOCK 0,SIG_UNBLOCK 1,SIG_SETMASK 2",
  signal: "SIGHUP 1,SIGINT 2,SIGKILL 9,SIGTERM 15,SIGCHLD 17",
  bpf: "BPF_PROG_LOAD 5,BPF_PROG_ATTACH 8,BPF_PROG_DETACH 9",
  bpfProgram: "BPF_PROG_TYPE_CGROUP_DEVICE 15",
  bpfAttachType: "BPF_CGROUP_DEVICE 6",
  rlimit: "RLIMIT_CPU 0,RLIMIT_FSIZE 1,RLIMIT_DATA 2,RLIMIT_STACK 3,RLIMIT_CORE 4,RLIMIT_RSS 5,RLIMIT_NPROC 6,RLIMIT_NOFILE 7,RLIMIT_MEMLOCK 8,RLIMIT_AS 9,RLIMIT_LOCKS 10,RLIMIT_SIGPENDING 11,RLIMIT_MSGQUEUE 12,RLIMIT_NICE 13,RLIMIT_RTPRIO 14,RLIMIT_RTTIME 15",
  fileType: "S_IFIFO 0o10000,S_IFCHR 0o20000,S_IFDIR 0o40000,S_IFBLK 0o60000,S_IFREG 0o100000,S_IFLNK 0o120000,S_IFSOCK 0o140000",
  ioprioWho: "IOPRIO_WHO_PROCESS 1",
};

export type FlagSet = string;

function table(text: string): (readonly [name: string, value: bigint])[] {
  return text.split(",").map((entry) => {
    const [name = "", value = "0"] = entry.trim().split(" ");
    return [name, BigInt(value)] as const;
  });
}

/** "O_PATH|O_CLOEXEC"; bits without a name stay as a number, and no bit at all is what the set calls it ("O_RDONLY"), or 0. */
export function flagNames(set: FlagSet, value: number | bigint): string {
  const text = FLAGS[set];
  if (text === undefined) return String(value);
  let rest = BigInt.asUintN(64, BigInt(value));
  const names: string[] = [];
  for (const [name, bits] of table(text))
    if ((rest & bits) === bits) {
      names.push(name);
      rest &= ~bits;
    }
  // Reading is no bit but the want of one (open(2)); O_PATH ignores the access mode.
  if (set === "open" && !names.some((name) => name === "O_WRONLY" || name === "O_RDWR" || name === "O_PATH")) names.unshift("O_RDONLY");
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? "0" : names.join("|");
}

/** The name of a value that is one of a set; the number where it has none. */
export function valueName(set: FlagSet, value: number | bigint): string {
  const found = table(VALUES[set] ?? "").find(([, known]) => known === BigInt(value));
  return found === undefined || found[0] === "" ? String(value) : found[0];
}

/** "0644" for permission bits, "S_IFCHR|0666" with a file type. */
export function modeName(mode: number): string {
  const type = mode & 0o170000;
  const bits = `0${(mode & 0o7777).toString(8).padStart(3, "0")}`;
  return type === 0 ? (mode === 0 ? "0" : bits) : `${valueName("fileType", type)}|${bits}`;
}

/** "1:3" of a dev_t as mknod(2) takes it. */
export function deviceName(device: number): string {
  return `${(device >>> 8) & 0xfff}:${(device & 0xff) | ((device >>> 12) & 0xfff00)}`;
}
