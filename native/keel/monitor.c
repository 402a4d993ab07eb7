/*
 * The monitor: what is left of keel while the container runs. One thread, one poll loop, fixed memory. It pumps the
 * container's output to the log and to attached clients, passes signals on, and writes down how it ended.
 * Included by keel.c.
 */
#define CLIENTS 8
#define CHUNK 16384
#define RING 65536

struct ring { u32 start, used; u8 bytes[RING]; };

struct client {
  int used, control;             /* control: socket to the front or the attach command */
  int in, out, err;              /* the client's streams, -1 for none */
  int out_kind, err_kind;        /* how to write there without blocking */
  int first;                     /* the one that started the container: it loses nothing, and slows it down instead */
  int raw;                       /* its terminal was put into raw mode */
  u32 matched;                   /* bytes of the detach sequence seen */
  u8 saved[64];                  /* struct termios before raw mode */
  struct ring *rings;            /* [0] out, [1] err */
};

enum { WRITE_PLAIN, WRITE_SOCKET, WRITE_REOPENED };

static struct monitor config;
static struct client clients[CLIENTS];
static struct ring rings[CLIENTS][2];
static u8 chunk[CHUNK];
static u8 logged[CHUNK * 3];
static u8 input[4096];
static u32 input_start, input_used;
static int input_closing;
static int log_fd = -1;
static u64 log_size, log_lost;
static int ended, exit_status, exit_signal;

/* ---- log: one record per line, "TIME stdout|stderr F|P content"; P is a piece of a line that goes on ---- */

static u32 put(u8 *at, const char *s) {
  u32 n = (u32)length(s);
  memcpy(at, s, n);
  return n;
}

static u32 put_number(u8 *at, u64 v, int digits) {
  for (int i = digits - 1; i >= 0; i--) { at[i] = (u8)('0' + v % 10); v /= 10; }
  return (u32)digits;
}

/* RFC 3339 with nanoseconds, UTC: 30 bytes. Days to civil date by the 400-year cycle of the Gregorian calendar. */
static u32 put_time(u8 *at, u64 ns) {
  u64 s = ns / 1000000000u;
  u64 z = s / 86400 + 719468, era = z / 146097, doe = z - era * 146097;
  u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  u64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  u64 day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  u64 year = yoe + era * 400 + (month <= 2);
  u8 *p = at;
  p += put_number(p, year, 4); *p++ = '-';
  p += put_number(p, month, 2); *p++ = '-';
  p += put_number(p, day, 2); *p++ = 'T';
  p += put_number(p, s / 3600 % 24, 2); *p++ = ':';
  p += put_number(p, s / 60 % 60, 2); *p++ = ':';
  p += put_number(p, s % 60, 2); *p++ = '.';
  p += put_number(p, ns % 1000000000u, 9); *p++ = 'Z';
  return (u32)(p - at);
}

/* `base` followed by a number without leading zeros. */
static void put_path(char *to, const char *base, u32 n) {
  u32 at = put((u8 *)to, base), digits = n >= 100 ? 3 : n >= 10 ? 2 : 1;
  at += put_number((u8 *)to + at, n, (int)digits);
  to[at] = 0;
}

static void log_open(void) {
  log_fd = (int)SYS(__NR_openat, AT_FDCWD_, config.log, O_WRONLY_ | O_CREAT_ | O_APPEND_ | O_CLOEXEC_, 0600);
  long end = log_fd < 0 ? 0 : SYS(__NR_lseek, log_fd, 0, 2);
  log_size = end > 0 ? (u64)end : 0;
}

static void log_rotate(void) {
  char from[4200], to[4200], base[4160];
  SYS(__NR_close, log_fd);
  u32 end = put((u8 *)base, config.log);
  base[end] = '.';
  base[end + 1] = 0;
  for (u32 n = config.log_files - 1; n > 0; n--) {
    put_path(from, base, n - 1);
    put_path(to, base, n);
    SYS(__NR_renameat2, AT_FDCWD_, n > 1 ? from : config.log, AT_FDCWD_, to, 0);
  }
  if (config.log_files <= 1) SYS(__NR_unlinkat, AT_FDCWD_, config.log, 0);
  log_open();
}

static void log_write(const u8 *bytes, u32 n) {
  if (log_fd < 0) log_open();
  long r = log_fd < 0 ? log_fd : write_all(log_fd, bytes, n);
  if (r < 0) { /* a full disk: the container goes on, and the gap is told when there is room again */
    log_lost += n;
    if (log_fd >= 0) SYS(__NR_ftruncate, log_fd, log_size);
    return;
  }
  log_size += n;
  if (config.log_max && log_size >= config.log_max) log_rotate();
}

static void log_output(int stream, const u8 *bytes, u32 n) {
  u8 head[48];
  u32 h = put_time(head, now_ns(CLOCK_REALTIME_)), used = 0;
  if (log_lost) {
    u64 lost = log_lost;
    log_lost = 0;
    memcpy(logged, head, h);
    used = h + put(logged + h, " system F bytes of log lost for want of space: ");
    used += put_number(logged + used, lost, 12);
    logged[used++] = '\n';
    log_write(logged, used);
    used = 0;
  }
  h += put(head + h, stream == 2 ? " stderr F " : " stdout F ");
  while (n > 0) {
    u32 line = 0;
    while (line < n && bytes[line] != '\n') line++;
    int whole = line < n;
    if (used + h + line + 1 > sizeof logged) { log_write(logged, used); used = 0; }
    memcpy(logged + used, head, h);
    logged[used + h - 2] = whole ? 'F' : 'P';
    used += h;
    memcpy(logged + used, bytes, line);
    used += line;
    logged[used++] = '\n';
    bytes += line + (u32)whole;
    n -= line + (u32)whole;
  }
  if (used) log_write(logged, used);
}

/* ---- clients ---- */

/*
 * Writing must not block the loop, and O_NONBLOCK on a descriptor that others share would change it for them too. A
 * pipe or terminal is opened anew for us alone; a socket has a flag per call; a file does not block.
 */
static int prepare_output(int *fd) {
  u64 stat[32]; /* struct stat: room for every architecture's */
  if (*fd < 0 || SYS(__NR_fstat, *fd, stat) < 0) { *fd = -1; return WRITE_PLAIN; }
#if defined(__x86_64__)
  u32 mode = (u32)stat[3];
#else
  u32 mode = (u32)stat[2];
#endif
  u32 type = mode & 0170000;
  if (type == 0140000) return WRITE_SOCKET;
  if (type != 0010000 && type != 0020000) return WRITE_PLAIN;
  char path[32];
  put_path(path, "/proc/self/fd/", (u32)*fd);
  long own = SYS(__NR_openat, AT_FDCWD_, path, O_WRONLY_ | O_NONBLOCK_ | O_NOCTTY_ | O_CLOEXEC_, 0);
  if (own < 0) return WRITE_PLAIN;
  if (*fd > 2) SYS(__NR_close, *fd);
  *fd = (int)own;
  return WRITE_REOPENED;
}

static void copy_window(const struct client *c) {
  u16 size[4];
  if (!(config.flags & MON_TTY) || c->in < 0) return;
  if (SYS(__NR_ioctl, c->in, 0x5413 /* TIOCGWINSZ */, size) == 0) SYS(__NR_ioctl, config.out, 0x5414, size);
}

/* cfmakeraw(3), by struct termios of asm-generic: four u32 of flags, the line, then 19 control characters. */
static void make_raw(struct client *c) {
  u32 raw[16];
  if (SYS(__NR_ioctl, c->in, 0x5401 /* TCGETS */, c->saved) < 0) return;
  memcpy(raw, c->saved, sizeof c->saved);
  raw[0] &= ~(1u | 2u | 8u | 040u | 0100u | 0200u | 0400u | 02000u);
  raw[1] &= ~1u;
  raw[2] = (raw[2] & ~(060u | 0400u)) | 060u;
  raw[3] &= ~(1u | 2u | 010u | 0100u | 0100000u);
  u8 *cc = (u8 *)raw + 17;
  cc[5] = 0; cc[6] = 1;
  if (SYS(__NR_ioctl, c->in, 0x5402 /* TCSETS */, raw) == 0) c->raw = 1;
}

static struct client *add_client(int control, int in, int out, int err, int first) {
  for (int i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];
    if (c->used) continue;
    *c = (struct client){.used = 1, .control = control, .in = in, .out = out, .err = err, .first = first,
                         .rings = rings[i]};
    rings[i][0].used = rings[i][1].used = 0;
    c->out_kind = prepare_output(&c->out);
    c->err_kind = prepare_output(&c->err);
    if (config.flags & MON_TTY && in >= 0) { copy_window(c); make_raw(c); }
    return c;
  }
  return 0;
}

static void drop_client(struct client *c, u32 why) {
  if (!c->used) return;
  if (c->raw) SYS(__NR_ioctl, c->in, 0x5402, c->saved);
  u32 message[2] = {why, 0};
  if (c->control >= 0 && why) SYS(__NR_sendto, c->control, message, sizeof message, 0x4040, 0, 0);
  int fds[4] = {c->in, c->out, c->err, c->control};
  for (int i = 0; i < 4; i++)
    if (fds[i] > 2) SYS(__NR_close, fds[i]);
  if (c->first) plan.front = -1;
  c->used = 0;
}

static long client_write(const struct client *c, int stream, const u8 *bytes, u32 n) {
  int fd = stream == 2 ? c->err : c->out, kind = stream == 2 ? c->err_kind : c->out_kind;
  if (kind == WRITE_SOCKET) return SYS(__NR_sendto, fd, bytes, n, 0x4040, 0, 0);
  return SYS(__NR_write, fd, bytes, n);
}

static void ring_flush(struct client *c, int stream) {
  struct ring *r = &c->rings[stream - 1];
  while (r->used) {
    u32 run = RING - r->start;
    if (run > r->used) run = r->used;
    long n = client_write(c, stream, r->bytes + r->start, run);
    if (n == -EINTR) continue;
    if (n == -EAGAIN) return;
    if (n <= 0) { /* the reader went away: what follows has nowhere to go */
      r->used = 0;
      if (stream == 2) c->err = -1; else c->out = -1;
      return;
    }
    r->start = (r->start + (u32)n) % RING;
    r->used -= (u32)n;
  }
  r->start = 0;
}

static void client_output(struct client *c, int stream, const u8 *bytes, u32 n) {
  if ((stream == 2 ? c->err : c->out) < 0) return;
  struct ring *r = &c->rings[stream - 1];
  if (n > RING - r->used) { drop_client(c, TELL_DETACHED); return; } /* too slow; never the one that started it */
  while (n > 0) {
    u32 at = (r->start + r->used) % RING, run = RING - at;
    if (run > n) run = n;
    memcpy(r->bytes + at, bytes, run);
    r->used += run;
    bytes += run;
    n -= run;
  }
  ring_flush(c, stream);
}

/* ---- input ---- */

static void close_input(void) {
  if (config.in >= 0 && !(config.flags & MON_TTY)) { SYS(__NR_close, config.in); config.in = -1; }
  input_used = 0;
}

static void flush_input(void) {
  while (input_used && config.in >= 0) {
    long n = SYS(__NR_write, config.in, input + input_start, input_used);
    if (n == -EINTR) continue;
    if (n == -EAGAIN) return;
    if (n <= 0) { close_input(); return; }
    input_start += (u32)n;
    input_used -= (u32)n;
  }
  input_start = 0;
  if (input_closing) close_input();
}

/* Drops the client when its last keys were the detach sequence; keys of a sequence that breaks off are passed on. */
static void read_client(struct client *c) {
  u8 keys[1024];
  long n = SYS(__NR_read, c->in, keys, sizeof keys);
  if (n == -EINTR || n == -EAGAIN) return;
  if (n <= 0) {
    if (c->raw) { drop_client(c, TELL_DETACHED); return; } /* its terminal hung up */
    if (c->in > 2) SYS(__NR_close, c->in);
    c->in = -1;
    if (config.flags & MON_STDIN_ONCE) { input_closing = 1; flush_input(); }
    return;
  }
  int detachable = (config.flags & MON_TTY) && config.detach_length > 0;
  for (long i = 0; i < n; i++) {
    if (detachable && keys[i] == config.detach[c->matched]) {
      if (++c->matched == config.detach_length) { drop_client(c, TELL_DETACHED); break; }
      continue;
    }
    for (u32 k = 0; k < c->matched; k++) input[input_start + input_used++] = config.detach[k];
    c->matched = 0;
    if (detachable && keys[i] == config.detach[0]) { c->matched = 1; continue; }
    input[input_start + input_used++] = keys[i];
  }
  flush_input();
}

static void read_control(struct client *c) {
  u32 ask[2];
  long n = SYS(__NR_recvfrom, c->control, ask, sizeof ask, 0x40, 0, 0);
  if (n == -EINTR || n == -EAGAIN) return;
  if (n <= 0) { drop_client(c, 0); return; }
  if (n != sizeof ask) return;
  if (ask[0] == ASK_SIGNAL && !ended) SYS(__NR_pidfd_send_signal, config.pidfd, ask[1], 0, 0);
  if (ask[0] == ASK_RESIZE) copy_window(c);
}

/* A client of the attach socket sends one message: a mask of streams, and three descriptors with it. */
static void accept_client(void) {
  long s = SYS(__NR_accept4, config.listener, 0, 0, O_CLOEXEC_);
  if (s < 0) return;
  u32 mask = 0;
  struct { u64 length; i32 level, type; i32 fds[4]; } rights;
  memset(&rights, 0, sizeof rights);
  u64 vector[2] = {(u64)(uintptr_t)&mask, sizeof mask};
  u64 header[7] = {0, 0, (u64)(uintptr_t)vector, 1, (u64)(uintptr_t)&rights, sizeof rights, 0};
  struct pollfd_ wait = {(i32)s, POLLIN_, 0};
  struct timespec_ second = {1, 0};
  if (SYS(__NR_ppoll, &wait, 1, &second, 0, 8) != 1 || SYS(__NR_recvmsg, s, header, 0x40000040) < 4 ||
      rights.length < 16 + 12) {
    SYS(__NR_close, s);
    return;
  }
  for (int i = 0; i < 3; i++)
    if (!(mask & 1u << i)) { SYS(__NR_close, rights.fds[i]); rights.fds[i] = -1; }
  u32 started[2] = {TELL_STARTED, 0};
  SYS(__NR_sendto, s, started, sizeof started, 0x4040, 0, 0);
  if (!add_client((int)s, rights.fds[0], rights.fds[1], rights.fds[2], 0)) {
    for (int i = 0; i < 3; i++) if (rights.fds[i] > 2) SYS(__NR_close, rights.fds[i]);
    SYS(__NR_close, s);
  }
}

/* ---- output ---- */

/* Room that every client which must not lose anything still has. */
static u32 output_room(int stream) {
  u32 room = CHUNK;
  for (int i = 0; i < CLIENTS; i++) {
    const struct client *c = &clients[i];
    if (!c->used || !c->first || (stream == 2 ? c->err : c->out) < 0) continue;
    u32 left = RING - c->rings[stream - 1].used;
    if (left < room) room = left;
  }
  return room;
}

/* 1 if there may be more, 0 if there is nothing now, -1 at the end. */
static int read_output(int *fd, int stream) {
  u32 room = output_room(stream);
  if (room == 0) return 0;
  long n = SYS(__NR_read, *fd, chunk, room);
  if (n == -EINTR) return 1;
  if (n == -EAGAIN) return 0;
  if (n == -EIO && !ended) return 0; /* a pty that nobody holds open just now */
  if (n <= 0) {
    SYS(__NR_close, *fd);
    if (*fd == config.in) config.in = -1;
    *fd = -1;
    return -1;
  }
  if (config.log) log_output(stream, chunk, (u32)n);
  for (int i = 0; i < CLIENTS; i++)
    if (clients[i].used) client_output(&clients[i], stream, chunk, (u32)n);
  return 1;
}

/* ---- programs that the monitor starts ---- */

static long start_program(char **argv, char **envp, int output, int plan_fd) {
  long pid = fork_();
  if (pid != 0) return pid;
  u64 none = 0;
  SYS(__NR_setsid, 0);
  long null = SYS(__NR_openat, AT_FDCWD_, "/dev/null", O_RDWR_ | O_CLOEXEC_, 0);
  SYS(__NR_dup3, null, 0, 0);
  SYS(__NR_dup3, output < 0 ? null : output, 1, 0);
  SYS(__NR_dup3, output < 0 ? null : output, 2, 0);
  if (plan_fd >= 0) {
    SYS(__NR_dup3, plan_fd, 3, 0);
    long report = SYS(__NR_memfd_create, "report", 0);
    if (report != 4) SYS(__NR_dup3, report, 4, 0);
  }
  SYS(__NR_close_range, plan_fd >= 0 ? 5 : 3, ~0u, 0);
  SYS(__NR_rt_sigprocmask, 2, &none, 0, 8);
  SYS(__NR_execve, argv[0], argv, envp);
  quit(127);
}

#include "health.c"

/* ---- the end ---- */

/* "code signal time" in one line, complete or not there at all: rename(2) is atomic, fsync(2) makes it last. */
static void write_status(void) {
  u8 text[96];
  u32 n = put_number(text, (u64)exit_status, 3);
  text[n++] = ' ';
  n += put_number(text + n, (u64)exit_signal, 3);
  text[n++] = ' ';
  n += put_time(text + n, plan.report->exit_ns);
  text[n++] = '\n';
  if (!config.status) return;
  long fd = SYS(__NR_openat, AT_FDCWD_, config.status_tmp, O_WRONLY_ | O_CREAT_ | O_TRUNC_ | O_CLOEXEC_, 0600);
  if (fd < 0) return;
  long r = write_all((int)fd, text, n);
  if (r == 0 && config.flags & MON_DURABLE) SYS(__NR_fsync, fd);
  SYS(__NR_close, fd);
  if (r == 0) SYS(__NR_renameat2, AT_FDCWD_, config.status_tmp, AT_FDCWD_, config.status, 0);
}

static void reap_child(int status) {
  ended = 1;
  exit_status = shell_status(status, &exit_signal);
  plan.report->exit_ns = now_ns(CLOCK_REALTIME_);
  plan.report->status = exit_status;
  plan.report->signal = exit_signal;
  if (plan.report->failed != NONE) return;
  plan.report->state = STATE_EXITED;
  write_status();
}

static void reap(void) {
  int status = 0;
  long pid;
  while ((pid = SYS(__NR_wait4, -1, &status, WNOHANG_, 0)) > 0) {
    if (pid == plan.child) reap_child(status);
    else if (pid == health_pid) health_reaped(status);
  }
}

static int drained(void) {
  for (int i = 0; i < CLIENTS; i++) {
    const struct client *c = &clients[i];
    if (c->used && ((c->rings[0].used && c->out >= 0) || (c->rings[1].used && c->err >= 0))) return 0;
  }
  return 1;
}

__attribute__((noreturn)) static void finish(void) {
  int waited = plan.front >= 0;
  for (int i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];
    if (!c->used) continue;
    if (c->raw) SYS(__NR_ioctl, c->in, 0x5402, c->saved);
    u32 message[2] = {TELL_EXITED, (u32)exit_status};
    if (c->control >= 0 && !(c->first && plan.report->failed != NONE))
      SYS(__NR_sendto, c->control, message, sizeof message, 0x4040, 0, 0);
  }
  if (plan.report->failed != NONE) stop(NONE, 0);
  if (config.finalize && (!waited || config.flags & MON_DETACHED)) start_program(config.finalize, config.environ, -1, -1);
  quit(0);
}

static void began(void) {
  SYS(__NR_close, config.ready);
  config.ready = -1;
  if (__atomic_load_n(&plan.report->failed, __ATOMIC_SEQ_CST) != NONE) return; /* its end is on the way */
  plan.report->state = STATE_STARTED;
  tell_front(TELL_STARTED, config.flags & MON_DETACHED);
  health_begin();
}

struct watch { struct pollfd_ *polls; int count; };

/* Index of the descriptor's entry, or -1 if there is nothing to watch. */
static int watch(struct watch *w, int fd, int events) {
  if (fd < 0) return -1;
  w->polls[w->count] = (struct pollfd_){fd, (int16_t)events, 0};
  return w->count++;
}

__attribute__((noreturn)) static void monitor(const struct monitor *given) {
  config = *given;
  u64 all = ~0ull;
  int signals = (int)SYS(__NR_signalfd4, -1, &all, 8, O_CLOEXEC_ | O_NONBLOCK_);
  if (signals < 0) stop(NONE, -signals);
  int ours[3] = {config.in, config.out, config.err};
  for (int i = 0; i < 3; i++)
    if (ours[i] >= 0) SYS(__NR_fcntl, ours[i], 4 /* F_SETFL */, O_NONBLOCK_);
  if (plan.front >= 0 && (!(config.flags & MON_DETACHED)))
    add_client(plan.front, config.attach & 1 ? 0 : -1, config.attach & 2 ? 1 : -1, config.attach & 4 ? 2 : -1, 1);
  else if (config.in >= 0 && !(config.flags & (MON_KEEP_STDIN | MON_TTY))) close_input();
  if (config.flags & MON_DETACHED) { /* the caller's streams are not held open by a container in the background */
    long null = SYS(__NR_openat, AT_FDCWD_, "/dev/null", O_RDWR_ | O_CLOEXEC_, 0);
    for (int i = 0; i < 3; i++) SYS(__NR_dup3, null, i, 0);
    SYS(__NR_close, null);
  }
  long r = write_all(config.release, "g", 1);
  if (r < 0) stop(NONE, (int)-r);
  SYS(__NR_close, config.release);

  for (;;) {
    struct pollfd_ polls[8 + CLIENTS * 4];
    struct watch w = {polls, 0};
    int w_signals = watch(&w, signals, POLLIN_), w_ready = watch(&w, config.ready, POLLIN_);
    int w_child = ended ? -1 : watch(&w, config.pidfd, POLLIN_), w_listen = watch(&w, config.listener, POLLIN_);
    int w_out = output_room(1) ? watch(&w, config.out, POLLIN_) : -1;
    int w_err = output_room(2) ? watch(&w, config.err, POLLIN_) : -1;
    int w_in = input_used && config.in >= 0 ? watch(&w, config.in, POLLOUT_) : -1;
    int w_health = watch(&w, health_output, POLLIN_);
    int w_client[CLIENTS][4];
    for (int i = 0; i < CLIENTS; i++) {
      const struct client *c = &clients[i];
      for (int k = 0; k < 4; k++) w_client[i][k] = -1;
      if (!c->used) continue;
      w_client[i][0] = watch(&w, c->control, POLLIN_);
      if (!input_used && config.in >= 0) w_client[i][1] = watch(&w, c->in, POLLIN_);
      if (c->rings[0].used) w_client[i][2] = watch(&w, c->out, POLLOUT_);
      if (c->rings[1].used) w_client[i][3] = watch(&w, c->err, POLLOUT_);
    }
    /* Once the container has ended, its output is only what is left in the pipes. */
    u64 sleep_ns = ended ? 200000000u : health_sleep();
    struct timespec_ limit = {(i64)(sleep_ns / 1000000000u), (i64)(sleep_ns % 1000000000u)};
    long n = SYS(__NR_ppoll, polls, w.count, sleep_ns == ~0ull ? 0 : &limit, 0, 8);
    if (n < 0) continue;
#define FIRED(x) ((x) >= 0 && polls[x].revents)
    if (FIRED(w_signals)) {
      u32 info[32];
      while (SYS(__NR_read, signals, info, sizeof info) > 0) {
        if (info[0] != SIGCHLD_ && info[0] != SIGWINCH_ && info[0] != SIGPIPE_ && !ended) SYS(__NR_pidfd_send_signal, config.pidfd, info[0], 0, 0);
      }
    }
    if (FIRED(w_ready)) began();
    if (FIRED(w_listen)) accept_client();
    if (FIRED(w_out) && read_output(&config.out, 1) == 0 && polls[w_out].revents == POLLHUP_ && !ended) {
      struct timespec_ nap = {0, 10000000}; /* a hung-up pty is always ready: look again a little later */
      SYS(__NR_nanosleep, &nap, 0);
    }
    if (FIRED(w_err)) read_output(&config.err, 2);
    if (FIRED(w_in)) flush_input();
    if (FIRED(w_health)) health_read();
    for (int i = 0; i < CLIENTS; i++) {
      struct client *c = &clients[i];
      if (c->used && FIRED(w_client[i][2])) ring_flush(c, 1);
      if (c->used && FIRED(w_client[i][3])) ring_flush(c, 2);
      if (c->used && FIRED(w_client[i][1])) read_client(c);
      if (c->used && FIRED(w_client[i][0])) read_control(c);
    }
    if (FIRED(w_signals) || FIRED(w_child)) reap();
    health_tick();
    if (!ended) continue;
    /* Whatever it wrote is in the pipes by now: read to the end, or until nothing comes any more. */
    int idle = n == 0;
    while (config.out >= 0 && read_output(&config.out, 1) > 0) idle = 0;
    while (config.err >= 0 && read_output(&config.err, 2) > 0) idle = 0;
    int ends_open = config.out >= 0 || config.err >= 0;
    if (drained() && (!ends_open || idle)) finish();
  }
}
