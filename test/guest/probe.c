/*
 * The test's eyes inside a container: a static program without arguments prints, as one line of JSON, what
 * a process there sees. With a mode as its first argument it misbehaves in one particular way instead.
 *
 *   probe [facts] [-w PATH]...   facts; each -w PATH is tried for writing
 *   probe alloc MB               touches one more megabyte at a time, printing each
 *   probe forkbomb N             tries to have N children; prints how many came to be; they live for 1 s
 *   probe spin SECONDS           keeps one CPU busy, then prints the CPU seconds it got
 *   probe exit N | sig N         ends so
 *   probe trap SECONDS           prints each signal that arrives; ends after so long, or on SIGUSR2
 *   probe syscall NR [ARG]...    makes the call; prints result and errno
 *   probe syscall32 NR [ARG]...  the same through int 0x80 (x86-64 only)
 *   probe orphan N               leaves N orphans that end at once, for PID 1 to reap, and stays 1 s
 *   probe zombies                prints how many zombies /proc shows
 *   probe sti                    pushes a character into the terminal's input (TIOCSTI); prints errno
 *   probe open PATH FLAGS        opens with numeric flags; prints result and errno
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int first = 1;

static void text(const char *s, size_t n) {
  putchar('"');
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\') printf("\\%c", c);
    else if (c < 0x20 || c >= 0x7f) printf("\\u%04x", c); /* bytes, as latin1 */
    else putchar(c);
  }
  putchar('"');
}

static void str(const char *s) { text(s, strlen(s)); }

static void key(const char *name) {
  printf(first ? "" : ",");
  first = 0;
  str(name);
  putchar(':');
}

static void num(const char *name, long long value) { key(name); printf("%lld", value); }
static void open_with(const char *name, char bracket) { key(name); putchar(bracket); first = 1; }
static void close_with(char bracket) { putchar(bracket); first = 0; }
static void comma(void) { printf(first ? "" : ","); first = 0; }

/* A whole file as a string; null when it cannot be read. */
static void file(const char *name, const char *path) {
  static char data[1 << 18];
  key(name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) { printf("null"); return; }
  size_t n = 0;
  ssize_t got;
  while (n < sizeof data && (got = read(fd, data + n, sizeof data - n)) > 0) n += (size_t)got;
  close(fd);
  text(data, n);
}

static void link_of(const char *name, const char *path) {
  char target[PATH_MAX];
  ssize_t n = readlink(path, target, sizeof target);
  key(name);
  if (n < 0) printf("null"); else text(target, (size_t)n);
}

static void ids(void) {
  uid_t ru, eu, su;
  gid_t rg, eg, sg, groups[256];
  getresuid(&ru, &eu, &su);
  getresgid(&rg, &eg, &sg);
  key("uid"); printf("[%u,%u,%u]", ru, eu, su);
  key("gid"); printf("[%u,%u,%u]", rg, eg, sg);
  int n = getgroups(256, groups);
  open_with("groups", '[');
  for (int i = 0; i < n; i++) { comma(); printf("%u", groups[i]); }
  close_with(']');
}

static void limits(void) {
  static const char *const names[] = {"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as",
                                      "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  open_with("rlimits", '{');
  for (int i = 0; i < 16; i++) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)i, &limit) != 0) continue;
    key(names[i]);
    /* RLIM_INFINITY as -1, as in prlimit(1)'s raw output */
    printf("[%lld,%lld]", (long long)limit.rlim_cur, (long long)limit.rlim_max);
  }
  close_with('}');
}

/* Descriptors as they were before this program opened any. */
static int fds[1024], fd_count;
static char fd_targets[1024][256];

static void note_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL && fd_count < 1024) {
    if (entry->d_name[0] == '.') continue;
    int fd = atoi(entry->d_name);
    if (fd == dirfd(dir)) continue;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, fd_targets[fd_count], 255);
    fd_targets[fd_count][n < 0 ? 0 : n] = 0;
    fds[fd_count++] = fd;
  }
  if (dir != NULL) closedir(dir);
}

static void devices(void) {
  open_with("dev", '[');
  DIR *dir = opendir("/dev");
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    struct stat st;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    if (lstat(path, &st) != 0) continue;
    comma();
    putchar('{');
    first = 1;
    key("name"); str(entry->d_name);
    num("mode", st.st_mode & 07777);
    num("uid", st.st_uid);
    num("gid", st.st_gid);
    const char *type = S_ISCHR(st.st_mode) ? "c" : S_ISBLK(st.st_mode) ? "b" : S_ISDIR(st.st_mode) ? "d" : S_ISLNK(st.st_mode) ? "l" : S_ISFIFO(st.st_mode) ? "p" : "-";
    key("type"); str(type);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) { num("major", major(st.st_rdev)); num("minor", minor(st.st_rdev)); }
    if (S_ISLNK(st.st_mode)) link_of("target", path);
    close_with('}');
  }
  if (dir != NULL) closedir(dir);
  close_with(']');
}

static void terminal(void) {
  open_with("tty", '{');
  key("isatty"); printf("[%s,%s,%s]", isatty(0) ? "true" : "false", isatty(1) ? "true" : "false", isatty(2) ? "true" : "false");
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) { num("rows", size.ws_row); num("cols", size.ws_col); }
  char name[128];
  if (ttyname_r(0, name, sizeof name) == 0) { key("name"); str(name); }
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY); /* succeeds only with a controlling terminal, tty(4) */
  key("controlling"); printf(fd >= 0 ? "true" : "false");
  if (fd >= 0) { num("foreground_pgrp", tcgetpgrp(fd)); close(fd); }
  num("sid", getsid(0));
  num("pgrp", getpgrp());
  close_with('}');
}

static const char *writable(const char *path) {
  static char result[64];
  struct stat st;
  int fd;
  errno = 0;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
    char probe[PATH_MAX];
    snprintf(probe, sizeof probe, "%s/.probe-write", path);
    fd = open(probe, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) unlink(probe);
  } else {
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  }
  if (fd >= 0) { close(fd); return "yes"; }
  snprintf(result, sizeof result, "%s", strerrorname_np(errno));
  return result;
}

static int facts(int argc, char **argv) {
  note_fds();
  mode_t mask = umask(0);
  umask(mask);
  putchar('{');
  num("pid", getpid());
  num("ppid", getppid());
  struct utsname uts;
  uname(&uts);
  key("hostname"); str(uts.nodename);
  key("domainname"); str(uts.domainname);
  key("machine"); str(uts.machine);
  ids();
  num("umask", mask);
  num("dumpable", prctl(PR_GET_DUMPABLE));
  num("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  num("parent_death_signal", ({ int sig = -1; prctl(PR_GET_PDEATHSIG, &sig); sig; }));
  limits();
  key("cwd");
  char cwd[PATH_MAX];
  str(getcwd(cwd, sizeof cwd) != NULL ? cwd : "");
  open_with("env", '[');
  for (char **e = environ; *e != NULL; e++) { comma(); str(*e); }
  close_with(']');
  open_with("argv", '[');
  for (int i = 0; i < argc; i++) { comma(); str(argv[i]); }
  close_with(']');
  open_with("fds", '{');
  for (int i = 0; i < fd_count; i++) {
    char name[16];
    snprintf(name, sizeof name, "%d", fds[i]);
    key(name); str(fd_targets[i]);
  }
  close_with('}');
  terminal();
  open_with("namespaces", '{');
  static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
    link_of(kinds[i], path);
  }
  close_with('}');
  devices();
  open_with("writable", '{');
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], "-w") == 0) { key(argv[i + 1]); str(writable(argv[i + 1])); }
  close_with('}');
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) num("cpus", CPU_COUNT(&cpus));
  /* Whole files: the test knows how to read them. caps, seccomp, signals blocked and ignored are in "status". */
  file("status", "/proc/self/status");
  file("mountinfo", "/proc/self/mountinfo");
  file("cgroup", "/proc/self/cgroup");
  file("uid_map", "/proc/self/uid_map");
  file("gid_map", "/proc/self/gid_map");
  file("oom_score_adj", "/proc/self/oom_score_adj");
  file("attr", "/proc/self/attr/current");
  file("net_dev", "/proc/net/dev");
  file("hosts", "/etc/hosts");
  file("resolv_conf", "/etc/resolv.conf");
  printf("}\n");
  return 0;
}

static int alloc(long megabytes) {
  for (long i = 1; i <= megabytes; i++) {
    volatile char *block = malloc(1 << 20);
    if (block == NULL) { printf("ENOMEM at %ld\n", i); return 1; }
    for (size_t at = 0; at < 1 << 20; at += 512) block[at] = (char)i;
    printf("%ld\n", i);
    fflush(stdout);
  }
  return 0;
}

static int forkbomb(long wanted) {
  long made = 0;
  int problem = 0;
  for (; made < wanted; made++) {
    pid_t child = fork();
    if (child == 0) { sleep(1); _exit(0); }
    if (child < 0) { problem = errno; break; }
  }
  printf("{\"children\":%ld,\"errno\":\"%s\"}\n", made, problem == 0 ? "" : strerrorname_np(problem));
  fflush(stdout);
  while (wait(NULL) > 0) {}
  return 0;
}

static double now(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int spin(double seconds) {
  double end = now(CLOCK_MONOTONIC) + seconds;
  volatile unsigned long work = 0;
  while (now(CLOCK_MONOTONIC) < end) for (int i = 0; i < 10000; i++) work = work + 1;
  printf("{\"cpu_seconds\":%.4f}\n", now(CLOCK_PROCESS_CPUTIME_ID));
  return 0;
}

static int trap(double seconds) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  printf("ready\n");
  fflush(stdout);
  double end = now(CLOCK_MONOTONIC) + seconds;
  for (double left = seconds; left > 0; left = end - now(CLOCK_MONOTONIC)) {
    struct timespec wait_for = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    int sig = sigtimedwait(&all, NULL, &wait_for);
    if (sig < 0) continue;
    const char *name = sigabbrev_np(sig);
    printf("SIG%s\n", name != NULL ? name : "?");
    fflush(stdout);
    if (sig == SIGUSR2) return 0;
  }
  return 3;
}

static void result(long value, int problem) {
  printf("{\"result\":%ld,\"errno\":\"%s\"}\n", value, problem == 0 ? "" : strerrorname_np(problem));
}

static int call(int argc, char **argv, int compat) {
  long a[7] = {0};
  for (int i = 0; i < argc && i < 7; i++) a[i] = (long)strtoull(argv[i], NULL, 0);
  long value;
  int problem = 0;
  if (compat) {
#ifdef __x86_64__
    int answer; /* i386 has its own numbers, and -errno as an int */
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"((int)a[0]), "b"((int)a[1]), "c"((int)a[2]), "d"((int)a[3]), "S"((int)a[4]), "D"((int)a[5]) : "memory", "r8", "r9", "r10", "r11");
    value = answer;
    if (answer < 0 && answer > -4096) { problem = -answer; value = -1; }
#else
    value = -1;
    problem = ENOSYS;
#endif
  } else {
    errno = 0;
    value = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    if (value == -1) problem = errno;
  }
  result(value, problem);
  return 0;
}

static int orphan(long count) {
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      if (fork() == 0) { usleep(50000); _exit(0); } /* by then its parent is gone: PID 1 inherits it */
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  sleep(1);
  return 0;
}

static int zombies(void) {
  int count = 0;
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    char path[300], line[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (read(fd, line, sizeof line - 1) > 0 && strstr(line, ") Z ") != NULL) count++;
    close(fd);
  }
  printf("{\"zombies\":%d}\n", count);
  return 0;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "facts";
  const char *value = argc > 2 ? argv[2] : "0";
  if (strcmp(mode, "alloc") == 0) return alloc(atol(value));
  if (strcmp(mode, "forkbomb") == 0) return forkbomb(atol(value));
  if (strcmp(mode, "spin") == 0) return spin(atof(value));
  if (strcmp(mode, "exit") == 0) return atoi(value);
  if (strcmp(mode, "sig") == 0) { signal(atoi(value), SIG_DFL); raise(atoi(value)); return 99; }
  if (strcmp(mode, "trap") == 0) return trap(atof(value));
  if (strcmp(mode, "syscall") == 0) return call(argc - 2, argv + 2, 0);
  if (strcmp(mode, "syscall32") == 0) return call(argc - 2, argv + 2, 1);
  if (strcmp(mode, "orphan") == 0) return orphan(atol(value));
  if (strcmp(mode, "zombies") == 0) return zombies();
  if (strcmp(mode, "sti") == 0) { int r = ioctl(0, TIOCSTI, "x"); result(r, r == 0 ? 0 : errno); return 0; }
  if (strcmp(mode, "open") == 0) { int fd = open(value, argc > 3 ? atoi(argv[3]) : 0, 0600); result(fd, fd < 0 ? errno : 0); return 0; }
  if (strcmp(mode, "facts") != 0 && strcmp(mode, "-w") != 0) { fprintf(stderr, "probe: unknown mode \"%s\"\n", mode); return 2; }
  return facts(argc, argv);
}
