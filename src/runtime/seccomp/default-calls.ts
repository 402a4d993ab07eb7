/**
 * The calls of the default profile, by topic; each list says why it is safe to give, or what it takes. The set is Docker's
 * (default.test.ts proves it call by call); the differences are in default-profile.ts.
 */

/** For every container: what a program may do with its own processes, files and sockets. The kernel's own checks hold for all. */
export const ALWAYS = [
  // Files by path. Permissions, the mount namespace and read-only mounts decide.
  `access chdir chmod chown chown32 creat execve execveat faccessat faccessat2 fchmodat fchmodat2 fchownat fstatat64
   futimesat getcwd lchown lchown32 link linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat
   open openat openat2 readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink
   symlinkat truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes`,
  // Files by descriptor.
  `_llseek close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fchdir fchmod fchown fchown32
   fcntl fcntl64 fdatasync flock fstat fstat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 getdents getdents64 lseek
   pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync
   sync_file_range syncfs tee vmsplice write writev cachestat`,
  // Extended attributes; the kernel guards the trusted and security name spaces.
  `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr
   lsetxattr removexattr removexattrat setxattr setxattrat`,
  // What is mounted here, to look at only.
  `listmount statmount`,
  // Memory of the caller's own.
  `brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
   mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`,
  // Processes of the own PID namespace. clone has a rule of its own.
  `exit exit_group fork getpgid getpgrp getpid getppid getsid gettid kill pidfd_open pidfd_send_signal setpgid setsid
   tgkill tkill vfork wait4 waitid waitpid`,
  // Threads. uretprobe is how the kernel returns from a traced function; refused, it kills the traced program.
  `futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu
   restart_syscall rseq set_robust_list set_thread_area set_tid_address uretprobe`,
  // Signals.
  `pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
   rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn`,
  // Who the caller is: changing it takes CAP_SETUID, CAP_SETGID or CAP_SETPCAP, and never gives more than there is.
  `capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
   getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
   setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32`,
  // Time. The clock itself is guarded by CAP_SYS_TIME, in adjtimex too.
  `adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
   clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
   timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
   timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  // Waiting for events.
  `_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
   eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll ppoll_time64
   pselect6 pselect6_time64 select`,
  // Sockets that exist; making one has a rule of its own.
  `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
   send sendmmsg sendmsg sendto setsockopt shutdown socketpair`,
  // System V and POSIX queues, semaphores and shared memory of the own IPC namespace.
  `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
   msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`,
  // The old asynchronous I/O. io_uring is left out: it does files and sockets behind the filter's back.
  `io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
  // Scheduling and limits; raising them takes CAP_SYS_NICE or CAP_SYS_RESOURCE.
  `getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max sched_get_priority_min
   sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
   sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpriority setrlimit ugetrlimit`,
  // More self-restraint is always welcome.
  `landlock_add_rule landlock_create_ruleset landlock_restrict_self prctl seccomp`,
  // The machine's name and random numbers.
  `getrandom sysinfo uname`,
].join(" ");

/** Another process of one's own may be looked into; before Linux 4.8 ptrace could rewrite a call after the filter had passed it. */
export const TRACING = "process_vm_readv process_vm_writev ptrace";

/** What compilers and C libraries of one machine need. */
export const BY_ARCH = {
  x64: "arch_prctl modify_ldt",
  arm64: "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
} as const;

/** What a capability is for: without its calls it would be an empty promise. */
export const BY_CAPABILITY: readonly (readonly [capability: string, names: string])[] = [
  // The administrator's: mounts, namespaces, quotas, names of the host, and what had no capability of its own before 5.8.
  [
    "CAP_SYS_ADMIN",
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
     lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
     sethostname setns syslog umount umount2 unshare`,
  ],
  // Opens any file of a mounted filesystem by its handle, past all directories (the "Shocker" escape).
  ["CAP_DAC_READ_SEARCH", "open_by_handle_at"],
  ["CAP_SYS_BOOT", "reboot"],
  ["CAP_SYS_CHROOT", "chroot"],
  ["CAP_SYS_MODULE", "delete_module finit_module init_module"],
  ["CAP_SYS_PACCT", "acct"],
  ["CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"],
  ["CAP_SYS_RAWIO", "ioperm iopl"],
  ["CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"],
  ["CAP_SYS_TTY_CONFIG", "vhangup"],
  ["CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"],
  ["CAP_SYSLOG", "syslog"],
  ["CAP_BPF", "bpf"],
  ["CAP_PERFMON", "perf_event_open"],
];
