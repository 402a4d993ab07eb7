/*
 * keel executes a plan: a program of system calls that the engine compiled (README.md in this folder). It knows
 * nothing about containers. Whatever fails stops everything, and the engine is told which call and which errno.
 *
 * Processes: the *front* is what the engine started and waits for. With PLAN_FORK it forks the *monitor*, which
 * runs the plan, owns the cloned child and outlives the engine; without, it runs the plan itself.
 */
#include "plan.h"

#if !defined(KEEL_HOSTED)
#define HOSTED 0
void *memcpy(void *d, const void *s, size_t n) {
  u8 *a = d; const u8 *b = s;
  while (n--) *a++ = *b++;
  return d;
}
void *memset(void *d, int c, size_t n) {
  u8 *a = d;
  while (n--) *a++ = (u8)c;
  return d;
}
#else
#define HOSTED 1
#include <string.h>
#endif

struct plan {
  struct header head;
  u8 *base, *data, *out;        /* the plan in memory; its data; what calls write for the engine */
  const struct instruction *code;
  struct report *report;
  struct result *results;
  long child;                   /* pid of the cloned child, 0 before */
  int inner, streamed;          /* this process is the child; the plan comes in parts */
  int from, to, front;          /* where the plan comes from, the report goes, and the front listens (or -1) */
};

static struct plan plan;
static i64 registers[REGISTERS];
static struct report no_report;

static u64 now_ns(int clock) {
  struct timespec_ t = {0, 0};
  SYS(__NR_clock_gettime, clock, &t);
  return (u64)t.sec * 1000000000u + (u64)t.nsec;
}

__attribute__((noreturn)) static void quit(int code) {
  for (;;) SYS(__NR_exit_group, code);
}

static size_t length(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

/* All n bytes by read(2) or write(2): 0 when done, 1 at end-of-file, or an errno. Interrupted calls go on. */
static long transfer(long call, int fd, void *bytes, size_t n) {
  u8 *p = bytes;
  while (n > 0) {
    long r = SYS(call, fd, p, n);
    if (r == -EINTR) continue;
    if (r <= 0) return r < 0 ? r : 1;
    p += r;
    n -= (size_t)r;
  }
  return 0;
}

static long write_all(int fd, const void *bytes, size_t n) { return transfer(__NR_write, fd, (void *)(uintptr_t)bytes, n); }
static long read_all(int fd, void *bytes, size_t n) { return transfer(__NR_read, fd, bytes, n); }
static long fork_(void) { return SYS(__NR_clone, SIGCHLD_, 0, 0, 0, 0); }

/* wait4's status as a shell would say it: the exit code, or 128 + signal. */
static int shell_status(int status, int *signal) {
  int sig = status & 0x7f;
  if (signal) *signal = sig;
  return sig ? 128 + sig : (status >> 8) & 0xff;
}

static void tell(int fd, u32 what, u32 value) {
  u32 message[2] = {what, value};
  if (fd >= 0 && what) SYS(__NR_sendto, fd, message, sizeof message, 0x4040 /* DONTWAIT|NOSIGNAL */, 0, 0);
}
enum { TELL_STARTED = 1, TELL_EXITED, TELL_DETACHED, TELL_FAILED, ASK_SIGNAL = 16, ASK_RESIZE };

/*
 * The first failure wins: a side that fails because the other one has gone must not hide the reason. Nothing is
 * undone by hand, since all that the plan made hangs on the processes that end here.
 */
__attribute__((noreturn)) static void stop(u32 index, int error) {
  struct report *r = plan.report;
  u32 expected = NONE;
  if (__atomic_compare_exchange_n(&r->failed, &expected, 1u, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    r->failed_index = index;
    r->failed_errno = (u32)error;
    __atomic_store_n(&r->state, STATE_FAILED, __ATOMIC_SEQ_CST);
  }
  if (plan.inner) quit(1);
  if (plan.child > 0) {
    SYS(__NR_kill, plan.child, SIGKILL_);
    SYS(__NR_wait4, plan.child, 0, 0, 0);
  }
  if (plan.streamed) write_all(plan.to, r, sizeof *r);
  tell(plan.front, TELL_FAILED, 0);
  quit(125);
}

/* The result of a call of keel's own, which is no instruction of the plan. */
static long must(long r) {
  if (r < 0) stop(NONE, (int)-r);
  return r;
}

static void record_end(int status, int signal) {
  struct report *r = plan.report;
  r->exit_ns = now_ns(CLOCK_REALTIME_);
  r->status = status;
  r->signal = signal;
  if (r->failed == NONE) r->state = STATE_EXITED;
}

#include "decode.c"
#include "monitor.c"

/* Passes on what the engine's process is told (and not what the terminal tells all of its programs), and ends as the container does. */
__attribute__((noreturn)) static void front(int fd) {
  SYS(__NR_setsid, 0);
  SYS(__NR_prctl, 1 /* PR_SET_PDEATHSIG: without its engine a front has nobody to tell */, SIGKILL_, 0, 0, 0);
  u64 all = ~0ull;
  long signals = SYS(__NR_signalfd4, -1, &all, 8, O_CLOEXEC_);
  if (signals < 0) quit(125);
  for (;;) {
    struct pollfd_ polls[2] = {{fd, POLLIN_, 0}, {(i32)signals, POLLIN_, 0}};
    if (SYS(__NR_ppoll, polls, 2, 0, 0, 8) < 0) continue;
    if (polls[1].revents) {
      u32 info[32] = {0}, ask[2];
      SYS(__NR_read, signals, info, sizeof info);
      ask[0] = (ask[1] = info[0]) == SIGWINCH_ ? ASK_RESIZE : ASK_SIGNAL;
      if (info[0] != SIGCHLD_) SYS(__NR_sendto, fd, ask, sizeof ask, 0x4000, 0, 0);
    }
    if (!polls[0].revents) continue;
    u32 told[2] = {0, 0};
    long n = SYS(__NR_read, fd, told, sizeof told);
    if (n == -EINTR) continue;
    if (n != sizeof told || told[0] == TELL_FAILED) quit(125);
    if (told[0] == TELL_STARTED && (told[1] & MON_DETACHED)) quit(0);
    if (told[0] == TELL_EXITED) {
      if (plan.report->state != STATE_EXITED) record_end((int)told[1], 0); /* another container's monitor says so */
      quit((int)told[1]);
    }
    if (told[0] == TELL_DETACHED) { plan.report->status = (i32)told[1], plan.report->state = STATE_DETACHED; quit(0); }
  }
}

static i64 value_of(const struct plan *p, const struct instruction *in, int n) {
  u64 a = in->arg[n];
  switch (in->kind[n]) {
    case ARG_DATA: return (i64)(uintptr_t)(p->data + a);
    case ARG_RESULT: return p->results[a].value;
    case ARG_LOAD32: { i32 v; memcpy(&v, p->data + a, 4); return v; }
    case ARG_OUT: return (i64)(uintptr_t)(p->out + a);
    case ARG_REG: return registers[a];
    default: return (i64)a;
  }
}

static int holds(const struct plan *p, const struct instruction *in) {
  if (in->cond == COND_NONE) return 1;
  i64 v = p->results[in->cond_index].value;
  if (in->cond == COND_EQ || in->cond == COND_NE) return (v == in->cond_value) == (in->cond == COND_EQ);
  return (v < 0) == (in->cond == COND_FAILED);
}

static int tolerated(const struct instruction *in, i64 r) {
  if (in->flags & INS_ANY) return 1;
  for (int i = 0; i < 4; i++)
    if (in->tolerate[i] && r == -(i64)in->tolerate[i]) return 1;
  return 0;
}

static void patch(const struct plan *p, const struct instruction *in) {
  u8 *at = p->data + in->arg[0];
  i64 v = value_of(p, in, 1);
  if (in->nr == PATCH_U32) { u32 w = (u32)v; memcpy(at, &w, 4); return; }
  if (in->nr == PATCH_U64) { memcpy(at, &v, 8); return; }
  int n = 1;
  for (i64 w = v; w > 9 && n < 10; w /= 10) n++;
  put_number(at, (u64)v, n, in->nr == PATCH_DECIMAL ? 0 : ' ');
  for (int i = n; in->nr == PATCH_PADDED && i < 10; i++) at[i] = ' ';
}

/* Whether one line of the text that a call read (at arg 0, of arg 1 bytes) is the string at arg 2; ERANGE if not. */
static long find(const struct plan *p, const struct instruction *in) {
  const u8 *text = (const u8 *)(uintptr_t)value_of(p, in, 0), *word = (const u8 *)(uintptr_t)value_of(p, in, 2);
  i64 size = value_of(p, in, 1), n = (i64)length((const char *)word);
  for (i64 at = 0; at + n <= size; at++) {
    i64 i = 0;
    while (i < n && text[at + i] == word[i]) i++;
    if (i == n && (at == 0 || text[at - 1] == '\n') && (at + n == size || text[at + n] == '\n')) return at;
  }
  return -ERANGE;
}

struct spawn { const char *path; char **argv, **envp; const u8 *input; u64 input_size, timeout_ns; };

/* Runs a program and waits for it: its wait status, or -ETIMEDOUT after it was killed. */
static long spawn(const struct spawn *s) {
  int ends[2];
  long r = SYS(__NR_pipe2, ends, O_CLOEXEC_);
  if (r < 0) return r;
  long pid = start_program(s->path, s->argv, s->envp, ends[0], -2, -1);
  SYS(__NR_close, ends[0]);
  if (pid < 0) { SYS(__NR_close, ends[1]); return pid; }
  write_all(ends[1], s->input, s->input_size); /* a program that reads none of it is no failure */
  SYS(__NR_close, ends[1]);
  long pidfd = SYS(__NR_pidfd_open, pid, 0);
  struct pollfd_ poll = {(i32)pidfd, POLLIN_, 0};
  struct timespec_ limit = {(i64)(s->timeout_ns / 1000000000u), (i64)(s->timeout_ns % 1000000000u)};
  int status = 0, expired = 0;
  if (s->timeout_ns && SYS(__NR_ppoll, &poll, 1, &limit, 0, 8) == 0) {
    expired = 1;
    SYS(__NR_kill, -pid, SIGKILL_);
    SYS(__NR_kill, pid, SIGKILL_);
  }
  while (SYS(__NR_wait4, pid, &status, 0, 0) == -EINTR) {}
  if (pidfd >= 0) SYS(__NR_close, pidfd);
  return expired ? -ETIMEDOUT : status;
}

/* Passes signals to a child and reaps whatever ends here until that child does: its wait status. */
static int supervise(long child) {
  u64 all = ~0ull;
  u32 info[32];
  for (;;) {
    int status = 0; long gone;
    while ((gone = SYS(__NR_wait4, -1, &status, WNOHANG_, 0)) > 0)
      if (gone == child) return status;
    if (gone < 0 && gone != -EINTR) stop(NONE, (int)-gone);
    long signal = SYS(__NR_rt_sigtimedwait, &all, info, 0, 8);
    if (signal > 0 && signal != SIGCHLD_ && signal != SIGWINCH_) SYS(__NR_kill, child, signal);
  }
}

/*
 * PID 1 of a container that asked for one (--init): passes signals to the program, collects every orphan, and ends as it
 * does. Returns in the program, once nothing but the streams is open in PID 1: it may look into that from the start.
 */
static long init(void) {
  u64 all = ~0ull, none = 0, spins = 0, *alone = &plan.report->reserved[0];
  SYS(__NR_rt_sigprocmask, 2, &all, 0, 8); /* before the child can end: supervise waits for signals */
  long pid = fork_();
  while (pid == 0 && !__atomic_load_n(alone, __ATOMIC_SEQ_CST)) if (++spins > 1u << 26) return -ETIMEDOUT; else SYS(__NR_sched_yield, 0);
  i32 self = (i32)SYS(__NR_getpid, 0); /* of a terminal the program has the foreground: Ctrl-C and job control are its own */
  if (pid == 0) SYS(__NR_setpgid, 0, 0), SYS(__NR_ioctl, 0, 0x5410 /* TIOCSPGRP */, &self), SYS(__NR_rt_sigprocmask, 2, &none, 0, 8);
  if (pid > 0) SYS(__NR_close, 3), __atomic_store_n(alone, 1, __ATOMIC_SEQ_CST), quit(shell_status(supervise(pid), 0));
  return pid;
}

/* Waits for the child without a monitor: signals that arrive are the child's. */
__attribute__((noreturn)) static void wait_child(void) {
  if (plan.report->failed == NONE) __atomic_store_n(&plan.report->state, STATE_STARTED, __ATOMIC_SEQ_CST);
  int signal = 0, code = shell_status(supervise(plan.child), &signal);
  record_end(code, signal);
  quit(plan.report->failed == NONE ? code : 125);
}

/* Waits until the child's end of a pipe has gone, then fails if the child did. */
static void await_child(int fd) {
  u8 byte;
  while (SYS(__NR_read, fd, &byte, 1) == -EINTR) {}
  if (__atomic_load_n(&plan.report->failed, __ATOMIC_SEQ_CST) != NONE) stop(0, 0);
}

static void execute(struct plan *p, u32 pc, u32 end) {
  int trace = (p->head.flags & PLAN_TRACE) != 0;
  while (pc < end) {
    const u32 index = pc;
    const struct instruction *in = &p->code[index];
    struct result *res = &p->results[index];
    if (!holds(p, in)) { pc++; continue; }
    i64 r = 0, tries = in->nr == __NR_openat2 ? 10000 : 1;
    if (trace) res->start_ns = now_ns(CLOCK_MONOTONIC_);
    switch (in->op) {
      case OP_SYS: /* openat2(2) beneath a root: EAGAIN where, at a "..", a rename or mount of anything has come between */
        do r = sys6(in->nr, value_of(p, in, 0), value_of(p, in, 1), value_of(p, in, 2), value_of(p, in, 3), value_of(p, in, 4), value_of(p, in, 5));
        while (r == -EAGAIN && --tries > 0);
        break;
      case OP_PATCH: patch(p, in); break;
      case OP_CLONE:
        r = SYS(__NR_clone3, value_of(p, in, 0), value_of(p, in, 1));
        if (r == 0) {
          p->inner = 1;
          execute(p, p->head.inner, p->head.count);
          stop(p->head.count - 1, ENOEXEC); /* an inner program ends in execve or _exit */
        }
        if (r > 0) { p->child = r; p->report->child_pid = (i32)r; }
        break;
      case OP_PICK: r = value_of(p, in, 0); if (r < 0) r = value_of(p, in, 1); break;
      case OP_SKIP: pc += in->nr; break;
      case OP_FAIL: r = -(i64)in->nr; break;
      case OP_CHECK: r = value_of(p, in, 0); break;
      case OP_FIND: r = find(p, in); break;
      case OP_SPAWN: r = spawn((const struct spawn *)(const void *)(p->data + in->arg[0])); break;
      case OP_AWAIT: await_child((int)value_of(p, in, 0)); break;
      case OP_MONITOR: monitor((const struct monitor *)(const void *)(p->data + in->arg[0])); break;
      case OP_WAIT: wait_child(); break;
      case OP_INIT: r = init(); break;
      case OP_FRONT: front((int)value_of(p, in, 0)); break;
      case OP_EXIT: p->report->state = STATE_STARTED; tell(plan.front, TELL_EXITED, in->nr); quit((int)in->nr); break;
    }
    if (trace) res->end_ns = now_ns(CLOCK_MONOTONIC_);
    res->value = r;
    if (in->reg) registers[in->reg - 1] = r;
    if (r < 0 && r > -4096 && !tolerated(in, r)) stop(index, (int)-r);
    if (in->flags & INS_EXPECT && r != in->expect && !(r < 0 && tolerated(in, r))) stop(index, EPROTO);
    pc++;
  }
}

static void fork_monitor(void) {
  int ends[2];
  must(SYS(__NR_socketpair, 1 /* AF_UNIX */, 5 /* SEQPACKET */ | O_CLOEXEC_, 0, ends));
  long pid = must(fork_());
  if (pid > 0) {
    SYS(__NR_close, ends[1]);
    plan.report->monitor_pid = (i32)pid;
    front(ends[0]);
  }
  SYS(__NR_close, ends[0]), SYS(__NR_setsid, 0);
  plan.front = ends[1];
  plan.report->monitor_pid = (i32)SYS(__NR_getpid, 0);
}

/*
 * A container must never be able to write this program (CVE-2019-5736): its first process is this program until it
 * calls execve. So keel runs from a sealed memory file, and a file on disk only ever copies itself into one.
 */
static void seal(char **argv, char **envp) {
  long self = SYS(__NR_openat, AT_FDCWD_, "/proc/self/exe", O_RDONLY_ | O_CLOEXEC_, 0);
  if (self < 0) quit(125);
  const long wanted = 15; /* SEAL | SHRINK | GROW | WRITE */
  long seals = SYS(__NR_fcntl, self, 1034 /* F_GET_SEALS */, 0);
  if (seals >= 0 && (seals & wanted) == wanted) { SYS(__NR_close, self); return; }
  long copy = SYS(__NR_memfd_create, "keel", 0x13 /* CLOEXEC | ALLOW_SEALING | EXEC */);
  if (copy == -EINVAL) copy = SYS(__NR_memfd_create, "keel", 3 /* before Linux 6.3 every one is executable */);
  if (copy < 0) quit(125);
  long n;
  while ((n = SYS(__NR_sendfile, copy, self, 0, 1 << 20)) > 0) {}
  if (n < 0 || SYS(__NR_fcntl, copy, 1033 /* F_ADD_SEALS */, wanted) < 0) quit(125);
  SYS(__NR_execveat, copy, "", argv, envp, AT_EMPTY_PATH_);
  quit(125);
}

static int number(const char *s, int otherwise) {
  if (!s) return otherwise;
  int n = 0;
  for (; *s >= '0' && *s <= '9' && n < 100000; s++) n = n * 10 + (*s - '0');
  return n;
}

/* keel [PLAN_FD [REPORT_FD]]: 3 and 4 where nothing is said. */
int keel(int argc, char **argv, char **envp) {
  if (!HOSTED) seal(argv, envp);
  u64 all = ~0ull;
  SYS(__NR_rt_sigprocmask, 2, &all, 0, 8);
  u64 action[4] = {0, 0, 0, 0}; /* SIG_DFL, whatever the engine's runtime ignored */
  for (int s = 1; s <= 64; s++) SYS(__NR_rt_sigaction, s, action, 0, 8);
  plan.from = number(argc > 1 ? argv[1] : 0, 3);
  plan.to = number(argc > 2 ? argv[2] : 0, 4);
  plan.front = -1;
  plan.report = &no_report;
  no_report.failed = NONE;
  load(&plan);
  if (!plan.streamed && plan.head.flags & PLAN_FORK) fork_monitor();
  do execute(&plan, 0, plan.head.inner);
  while (next_part(&plan));
  return 0;
}

#if defined(KEEL_HOSTED)
int main(int argc, char **argv, char **envp) { return keel(argc, argv, envp); }
#else
__attribute__((noreturn, used)) void keel_start(long *stack) {
  int argc = (int)stack[0];
  char **argv = (char **)(stack + 1);
  quit(keel(argc, argv, argv + argc + 1));
}
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call keel_start\n");
#else
__asm__(".globl _start\n_start:\n mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n bl keel_start\n");
#endif
#endif
