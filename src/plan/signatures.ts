/**
 * The parameters of the system calls in use and the page of the manual that each has. One line per call: its name, then
 * `parameter:kind` for each argument; what a kind looks like is in explain-values.ts. A call that is not here is shown
 * with its bare arguments.
 */
const SIGNATURES = `
accept4 fd:fd addr:ptr len:ptr flags:=socketType
bind fd:fd addr:sockaddr len:num
bpf cmd:@bpf attr:bpf size:num
capset header:struct data:caps
chdir path:str
chroot path:str
clock_nanosleep clock:num flags:num request:struct remain:ptr
clone3 args:clone size:num
close fd:fd
close_range first:num last:last flags:=closeRange
connect fd:fd addr:sockaddr len:num
dup3 old:fd new:num flags:=fd
execve file:str argv:strings envp:strings
faccessat2 dirfd:dirfd path:str mode:=access flags:=at
fchdir fd:fd
fchown fd:fd uid:id gid:id
fchownat dirfd:dirfd path:str uid:id gid:id flags:=at
fcntl fd:fd cmd:@fcntl arg:num
fsconfig fs:fd cmd:@fsconfig key:str value:str aux:num
fsmount fs:fd flags:=fsmount attributes:=mountAttr
fsopen type:str flags:=fsopen
fstatfs fd:fd buffer:buffer
getcwd buffer:buffer size:num
ioctl fd:fd request:@ioctl arg:any
ioprio_set which:@ioprioWho who:num value:num
keyctl operation:num name:any
listen fd:fd backlog:num
mkdirat dirfd:dirfd path:str mode:mode
mknodat dirfd:dirfd path:str mode:mode device:device
mount source:str target:str type:str flags:=mount data:str
mount_setattr dirfd:dirfd path:str flags:=at attr:mountattr size:num
move_mount from:dirfd path:str to:dirfd target:str flags:=moveMount
open_tree dirfd:dirfd path:str flags:=openTree
openat dirfd:dirfd path:str flags:=open mode:mode
openat2 dirfd:dirfd path:str how:openhow size:num
personality persona:num
pidfd_getfd pidfd:fd fd:num flags:num
pipe2 ends:ends flags:=fd
pivot_root new:str old:str
prctl option:prctl arg2:prctlarg arg3:rest arg4:rest arg5:rest
prlimit64 pid:num resource:@rlimit new:rlimit old:ptr
read fd:fd buffer:buffer size:num
recvfrom fd:fd buffer:buffer size:num flags:=message addr:ptr len:ptr
recvmsg fd:fd message:struct flags:=message
rt_sigprocmask how:@sigmask set:sigset old:ptr size:num
seccomp operation:@seccomp flags:=seccompFilter program:fprog
sendmsg fd:fd message:struct flags:=message
sendto fd:fd bytes:bytes size:num flags:=message addr:ptr len:num
set_mempolicy mode:num mask:struct bits:num
setdomainname name:str size:num
setgroups count:num groups:groups
sethostname name:str size:num
setns fd:fd type:=clone
setresgid real:id effective:id saved:id
setresuid real:id effective:id saved:id
setsid
setsockopt fd:fd level:@sockopt option:@netlinkOption value:struct size:num
socket family:@family type:socktype protocol:num
socketpair family:@family type:socktype protocol:num ends:ends
symlinkat target:str dirfd:dirfd path:str
umask mask:mode
umount2 path:str flags:=umount
unlinkat dirfd:dirfd path:str flags:=at
unshare flags:=clone
write fd:fd bytes:bytes size:num
`;

/** Pages that are not called like the call, or lie in another section. */
const PAGES: Readonly<Record<string, string>> = {
  accept4: "accept(2)", clone3: "clone(2)", dup3: "dup(2)", faccessat2: "access(2)", fchown: "chown(2)", fchownat: "chown(2)", fstatfs: "statfs(2)",
  mkdirat: "mkdir(2)", mknodat: "mknod(2)", openat: "open(2)", pipe2: "pipe(2)", prlimit64: "getrlimit(2)", rt_sigprocmask: "sigprocmask(2)",
  symlinkat: "symlink(2)", umount2: "umount(2)", unlinkat: "unlink(2)", recvfrom: "recv(2)", recvmsg: "recv(2)", sendto: "send(2)", sendmsg: "send(2)",
};

export interface Parameter {
  readonly name: string;
  /** "=set" flags of a set, "@set" one value of a set; others by what they are. */
  readonly kind: string;
}

export type Signatures = ReadonlyMap<string, readonly Parameter[]>;

/** Splits the table; the caller keeps it for as long as it explains. */
export function readSignatures(): Signatures {
  return new Map(SIGNATURES.trim().split("\n").map((line) => {
    const [name = "", ...parameters] = line.split(" ");
    return [name, parameters.map((parameter) => {
      const [label = "", kind = "any"] = parameter.split(":");
      return { name: label, kind };
    })];
  }));
}

/** "openat2(2)". */
export function manualPage(name: string): string {
  return PAGES[name] ?? `${name}(2)`;
}
