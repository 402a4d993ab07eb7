/*
 * The monitor: what is left of keel while the container runs. One thread, one poll loop, fixed memory. It pumps the
 * container's output to the log and to attached clients, passes signals on, and writes down how it ended.
 * Included by keel.c.
 */
#define CLIENTS 8
#define CHUNK 16384
#define QUEUE 65536

struct queue { u32 start, end; u8 bytes[QUEUE]; };

struct client {
  int used, control;             /* control: socket to the front or to the attach command */
  int in, out[2], socket[2];     /* the client's streams, -1 for none; whether the output is a socket */
  int first, leaves;             /* it started the container: loses nothing, and slows it down instead; leaves with its reader */
  int raw;                       /* its terminal was put into raw mode */
  u32 matched;                   /* bytes of the detach sequence seen */
  u8 saved[64];                  /* struct termios before raw mode */
  struct queue *queues;          /* what it has not taken yet: [0] stdout, [1] stderr */
};

static struct monitor config;
static struct client clients[CLIENTS];
static struct queue queues[CLIENTS][2];
static u8 chunk[CHUNK], logged[CHUNK * 3], input[4096], log_piece[2]; /* whether the last record of a stream is a piece of its line */
static u32 input_start, input_used;
static int input_closing, log_fd = -1, ended, exit_status, exit_signal;
static u64 log_size, log_lost;

#define EACH_CLIENT(c) for (struct client *c = clients; c < clients + CLIENTS; c++) if (c->used)

/* The log has a record per line, "TIME stdout|stderr F|P content"; P is a piece of a line that goes on. */
static u32 put(u8 *at, const char *s) {
  u32 n = (u32)length(s);
  memcpy(at, s, n);
  return n;
}

static u32 put_number(u8 *at, u64 v, int digits, char after) {
  for (int i = digits - 1; i >= 0; i--) { at[i] = (u8)('0' + v % 10); v /= 10; }
  at[digits] = (u8)after;
  return (u32)digits + 1;
}

/* RFC 3339 with nanoseconds, UTC: 30 bytes. Days to civil date by the 400-year cycle of the Gregorian calendar. */
static u32 put_time(u8 *at, u64 ns) {
  u64 s = ns / 1000000000u, z = s / 86400 + 719468, era = z / 146097, doe = z - era * 146097;
  u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  u64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  u64 day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
  u8 *p = at + put_number(at, year, 4, '-');
  p += put_number(p, month, 2, '-');
  p += put_number(p, day, 2, 'T');
  p += put_number(p, s / 3600 % 24, 2, ':');
  p += put_number(p, s / 60 % 60, 2, ':');
  p += put_number(p, s % 60, 2, '.');
  return (u32)(p - at) + put_number(p, ns % 1000000000u, 9, 'Z');
}

/* `base` followed by a number without leading zeros. */
static void put_path(char *to, const char *base, u32 n) {
  u32 at = put((u8 *)to, base);
  put_number((u8 *)to + at, n, n > 999 ? 5 : n > 99 ? 3 : n > 9 ? 2 : 1, 0);
}

static void log_open(void) {
  log_fd = (int)SYS(__NR_openat, AT_FDCWD_, config.log, O_WRONLY_ | O_CREAT_ | O_APPEND_ | O_CLOEXEC_, 0600);
  long end = log_fd < 0 ? 0 : SYS(__NR_lseek, log_fd, 0, 2);
  log_size = end > 0 ? (u64)end : 0;
}

static void log_rotate(void) {
  char from[4200], to[4200], base[4160];
  u32 end = put((u8 *)base, config.log);
  base[end] = '.';
  base[end + 1] = 0;
  SYS(__NR_close, log_fd);
  for (u32 n = config.log_files - 1; n > 0; n--) {
    put_path(from, base, n - 1);
    put_path(to, base, n);
    SYS(__NR_renameat2, AT_FDCWD_, n > 1 ? from : config.log, AT_FDCWD_, to, 0);
  }
  if (config.log_files <= 1) SYS(__NR_unlinkat, AT_FDCWD_, config.log, 0);
  log_open();
}

static int log_write(const u8 *bytes, u32 n) {
  if (log_fd < 0) log_open();
  if (log_fd < 0 || write_all(log_fd, bytes, n) < 0) {
    log_lost += n; /* a full disk: the container goes on, and the gap is told when there is room again */
    if (log_fd >= 0) SYS(__NR_ftruncate, log_fd, log_size);
    return 0;
  }
  log_size += n;
  /* Between lines, so that no file begins within one; a line without an end does not keep it waiting. */
  if (config.log_max && log_size >= config.log_max + (log_piece[0] | log_piece[1] ? 4 * CHUNK : 0)) log_rotate();
  return 1;
}

static void log_output(int stream, const u8 *bytes, u32 n) {
  u8 head[48];
  u32 h = put_time(head, now_ns(CLOCK_REALTIME_)), used = 0;
  if (log_lost) {
    memcpy(logged, head, h);
    u32 m = h + put(logged + h, " system F bytes of log lost for want of space: ");
    m += put_number(logged + m, log_lost, 12, '\n');
    if (log_write(logged, m)) log_lost = 0;
    else log_lost -= m; /* what was lost is the container's */
  }
  h += put(head + h, stream ? " stderr F " : " stdout F ");
  while (n > 0) {
    u32 line = 0;
    while (line < n && bytes[line] != '\n') line++;
    u32 whole = line < n;
    if (used + h + line + 1 > sizeof logged || (used && config.log_max && log_size + used >= config.log_max)) { log_write(logged, used); used = 0; }
    memcpy(logged + used, head, h);
    logged[used + h - 2] = (log_piece[stream] = !whole) ? 'P' : 'F';
    used += h;
    memcpy(logged + used, bytes, line);
    used += line;
    logged[used++] = '\n';
    bytes += line + whole, n -= line + whole;
  }
  if (used) log_write(logged, used);
}

/*
 * Writing must not block the loop, and O_NONBLOCK on a descriptor that others share would change it for them too. A
 * pipe or terminal is opened anew for us alone; a socket has a flag per call; a file does not block.
 */
static int prepare_output(int *fd) {
  u16 statx[128]; /* struct statx: the same on every architecture, stx_mode at byte 28 */
  if (*fd < 0 || SYS(__NR_statx, *fd, "", AT_EMPTY_PATH_, 1, statx) < 0) { *fd = -1; return 0; }
  u32 type = statx[14] & 0170000;
  if (type != 0010000 && type != 0020000) return type == 0140000;
  char path[32];
  put_path(path, "/proc/self/fd/", (u32)*fd);
  long own = SYS(__NR_openat, AT_FDCWD_, path, O_WRONLY_ | O_NONBLOCK_ | O_NOCTTY_ | O_CLOEXEC_, 0);
  if (own < 0) return 0;
  if (*fd > 2) SYS(__NR_close, *fd);
  SYS(__NR_fcntl, *fd = (int)own, 1031 /* F_SETPIPE_SZ: room for a reader that is late */, 1 << 20);
  return 0;
}

static void copy_window(const struct client *c) {
  u16 size[4];
  if (!(config.flags & MON_TTY) || c->in < 0) return;
  if (SYS(__NR_ioctl, c->in, 0x5413 /* TIOCGWINSZ */, size) == 0) SYS(__NR_ioctl, config.out[0], 0x5414, size);
}

/* cfmakeraw(3), by struct termios of asm-generic: four u32 of flags, the line, then 19 control characters. */
static void make_raw(struct client *c) {
  u32 raw[16];
  if (SYS(__NR_ioctl, c->in, 0x5401 /* TCGETS */, c->saved) < 0) return;
  memcpy(raw, c->saved, sizeof c->saved);
  raw[0] &= ~02753u; /* IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON */
  raw[1] &= ~1u;     /* OPOST */
  raw[2] = (raw[2] & ~0460u) | 060u; /* CSIZE PARENB; CS8 */
  raw[3] &= ~0100113u; /* ISIG ICANON ECHO ECHONL IEXTEN */
  u8 *cc = (u8 *)raw + 17;
  cc[5] = 0, cc[6] = 1; /* VTIME, VMIN */
  if (SYS(__NR_ioctl, c->in, 0x5402 /* TCSETS */, raw) == 0) c->raw = 1;
}

static int add_client(int control, const int *fds, int first, u32 attach) {
  for (int i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];
    if (c->used) continue;
    *c = (struct client){.used = 1, .control = control, .in = fds[0], .out = {fds[1], fds[2]}, .first = first, .leaves = attach >> 3 & 1, .queues = queues[i]};
    for (int k = 0; k < 2; k++) {
      c->queues[k].start = c->queues[k].end = 0;
      c->socket[k] = prepare_output(&c->out[k]);
    }
    if (config.flags & MON_TTY && c->in >= 0) { copy_window(c); make_raw(c); }
    return 1;
  }
  return 0;
}

/* The caller's streams are not held open by a container in the background: who reads them waits for their end. */
static void let_go(void) {
  long null = SYS(__NR_openat, AT_FDCWD_, "/dev/null", O_RDWR_ | O_CLOEXEC_, 0);
  for (int i = 0; i < 3; i++) SYS(__NR_dup3, null, i, 0);
}

static void drop_client(struct client *c, u32 why) {
  if (c->raw) SYS(__NR_ioctl, c->in, 0x5402, c->saved);
  tell(c->control, why & 15, why >> 4);
  int fds[4] = {c->in, c->out[0], c->out[1], c->control};
  for (int i = 0; i < 4; i++)
    if (fds[i] > 2) SYS(__NR_close, fds[i]);
  if (c->first) plan.front = -1, let_go();
  c->used = 0;
}

static void flush_client(struct client *c, int stream) {
  struct queue *q = &c->queues[stream];
  while (q->start < q->end) {
    const u8 *bytes = q->bytes + q->start;
    long n = c->socket[stream] ? SYS(__NR_sendto, c->out[stream], bytes, q->end - q->start, 0x4040, 0, 0)
                                             : SYS(__NR_write, c->out[stream], bytes, q->end - q->start);
    if (n == -EAGAIN) return;
    if (n <= 0) { if (n == -EPIPE && c->leaves && !ended) drop_client(c, TELL_DETACHED | 141 << 4); c->out[stream] = -1; break; } /* by SIGPIPE */
    q->start += (u32)n;
  }
  q->start = q->end = 0;
}

static void client_output(struct client *c, int stream, const u8 *bytes, u32 n) {
  struct queue *q = &c->queues[stream];
  if (c->out[stream] < 0) return;
  if (n > QUEUE - (q->end - q->start)) { drop_client(c, TELL_DETACHED | 1 << 4); return; } /* too slow; never the first one */
  if (n > QUEUE - q->end) {
    memcpy(q->bytes, q->bytes + q->start, q->end - q->start); /* downwards: a forward copy may overlap */
    q->end -= q->start, q->start = 0;
  }
  memcpy(q->bytes + q->end, bytes, n);
  q->end += n;
  flush_client(c, stream);
}

static void close_input(void) {
  if (config.in >= 0 && !(config.flags & MON_TTY)) { SYS(__NR_close, config.in); config.in = -1; }
  input_used = 0;
}

static void flush_input(void) {
  while (input_used && config.in >= 0) {
    long n = SYS(__NR_write, config.in, input + input_start, input_used);
    if (n == -EAGAIN) return;
    if (n <= 0) { close_input(); return; }
    input_start += (u32)n, input_used -= (u32)n;
  }
  input_start = 0;
  if (input_closing) close_input();
}

/* Drops the client when its last keys were the detach sequence; keys of a sequence that breaks off are passed on. */
static void read_client(struct client *c) {
  u8 keys[1024];
  long n = SYS(__NR_read, c->in, keys, sizeof keys);
  if (n == -EAGAIN) return;
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
      if (++c->matched < config.detach_length) continue;
      drop_client(c, TELL_DETACHED);
      break;
    }
    for (u32 k = 0; k < c->matched; k++) input[input_start + input_used++] = config.detach[k];
    c->matched = detachable && c->matched && keys[i] == config.detach[0];
    if (!c->matched) input[input_start + input_used++] = keys[i];
  }
  flush_input();
}

static void read_control(struct client *c) {
  u32 ask[2];
  long n = SYS(__NR_recvfrom, c->control, ask, sizeof ask, 0x40, 0, 0);
  if (n == -EAGAIN) return;
  if (n <= 0) { drop_client(c, 0); return; }
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
  int ok = SYS(__NR_ppoll, &wait, 1, &second, 0, 8) == 1 && SYS(__NR_recvmsg, s, header, 0x40000040) == 4 && rights.length == 16 + 12;
  for (int i = 0; ok && i < 3; i++)
    if (!(mask & 1u << i)) { SYS(__NR_close, rights.fds[i]); rights.fds[i] = -1; }
  if (ok && add_client((int)s, rights.fds, 0, mask)) return;
  for (int i = 0; ok && i < 3; i++)
    if (rights.fds[i] > 2) SYS(__NR_close, rights.fds[i]);
  SYS(__NR_close, s);
}

/* Room that every client which must not lose anything still has. */
static u32 output_room(int stream) {
  u32 room = CHUNK;
  EACH_CLIENT(c) {
    if (!c->first || c->out[stream] < 0) continue;
    u32 left = QUEUE - (c->queues[stream].end - c->queues[stream].start);
    if (left < room) room = left;
  }
  return room;
}

/* 1 if there may be more, 0 if there is nothing now or any more. */
static int read_output(int stream) {
  u32 room = output_room(stream);
  if (room == 0 || config.out[stream] < 0) return 0;
  long n = SYS(__NR_read, config.out[stream], chunk, room);
  if (n == -EAGAIN || (n == -EIO && !ended)) return 0; /* EIO: a pty that nobody holds open just now */
  if (n <= 0) {
    SYS(__NR_close, config.out[stream]);
    if (config.flags & MON_TTY) config.in = -1;
    config.out[stream] = -1;
    return 0;
  }
  if (config.log) log_output(stream, chunk, (u32)n);
  EACH_CLIENT(c) client_output(c, stream, chunk, (u32)n);
  return 1;
}

/* Starts a program in a session of its own; a stream that is -1 is /dev/null, output -2 is ours. `plan` becomes its 3. */
static int health_report = -1; /* a memory file, read when the probe has ended */
static long start_program(const char *path, char **argv, char **envp, int in, int output, int plan_fd) {
  long pid = fork_();
  if (pid != 0) return pid;
  u64 none = 0; /* hooks and probes end with who waits for them (PR_SET_PDEATHSIG) */
  SYS(__NR_setsid, 0), SYS(__NR_prctl, 1, plan_fd >= 0 || output == -2 ? SIGKILL_ : 0, 0, 0, 0);
  long null = SYS(__NR_openat, AT_FDCWD_, "/dev/null", O_RDWR_ | O_CLOEXEC_, 0);
  SYS(__NR_dup3, in < 0 ? null : in, 0, 0);
  for (int i = 1; i < 3 && output != -2; i++) SYS(__NR_dup3, output < 0 ? null : output, i, 0);
  if (plan_fd >= 0) SYS(__NR_dup3, plan_fd, 3, 0), SYS(__NR_dup3, health_report, 4, 0);
  SYS(__NR_close_range, plan_fd >= 0 ? 5 : 3, ~0u, 0);
  SYS(__NR_rt_sigprocmask, 2, &none, 0, 8);
  quit(SYS(__NR_execve, path, argv, envp) == -ENOENT ? 127 : 126);
}

#include "health.c"

/* "code signal time" in one line, complete or not there at all: rename(2) is atomic, fsync(2) makes it last. */
static void write_status(void) {
  u8 text[96];
  u32 n = put_number(text, (u64)exit_status, 3, ' ');
  n += put_number(text + n, (u64)exit_signal, 3, ' ');
  n += put_time(text + n, plan.report->exit_ns);
  text[n++] = '\n';
  if (!config.status) return;
  long fd = SYS(__NR_openat, AT_FDCWD_, config.status_tmp, O_WRONLY_ | O_CREAT_ | O_CLOEXEC_, 0600); /* the plan made it, as long: its room is there */
  long r = fd < 0 ? fd : write_all((int)fd, text, n);
  if (r == 0 && config.flags & MON_DURABLE) SYS(__NR_fsync, fd);
  if (fd >= 0) SYS(__NR_close, fd);
  if (r == 0) SYS(__NR_renameat2, AT_FDCWD_, config.status_tmp, AT_FDCWD_, config.status, 0);
}

static void reap(void) {
  int status = 0;
  for (long pid; (pid = SYS(__NR_wait4, -1, &status, WNOHANG_, 0)) > 0;) {
    if (pid == health_pid) health_reaped(status);
    if (pid != plan.child) continue;
    ended = 1;
    exit_status = shell_status(status, &exit_signal);
    record_end(exit_status, exit_signal);
    for (u32 i = 0; i < config.held_count; i++) SYS(__NR_close, config.held[i]); /* before anybody reads of the end */
    if (plan.report->failed == NONE) write_status();
  }
}

__attribute__((noreturn)) static void finish(void) {
  if (plan.report->failed != NONE) stop(NONE, 0);
  EACH_CLIENT(c) {
    if (c->raw) SYS(__NR_ioctl, c->in, 0x5402, c->saved);
    tell(c->control, TELL_EXITED, (u32)exit_status);
  }
  if (config.finalize && (plan.front < 0 || config.flags & MON_DETACHED)) start_program(config.finalize[0], config.finalize, config.environ, -1, -1, -1);
  quit(0);
}

static void began(void) {
  SYS(__NR_close, config.ready);
  config.ready = -1;
  if (__atomic_load_n(&plan.report->failed, __ATOMIC_SEQ_CST) != NONE) return; /* its end is on the way */
  plan.report->state = STATE_STARTED;
  tell(plan.front, TELL_STARTED, config.flags & MON_DETACHED);
  health_begin();
}

static struct pollfd_ polls[8 + CLIENTS * 4];
static int watched;

/* Index of the descriptor's entry, or -1 if there is nothing to watch. */
static int watch(int fd, int events) {
  if (fd < 0) return -1;
  polls[watched] = (struct pollfd_){fd, (int16_t)events, 0};
  return watched++;
}

static int fired(int entry) { return entry >= 0 && polls[entry].revents; }

__attribute__((noreturn)) static void monitor(const struct monitor *given) {
  config = *given;
  u64 all = ~0ull;
  int signals = (int)must(SYS(__NR_signalfd4, -1, &all, 8, O_CLOEXEC_ | O_NONBLOCK_));
  int ours[3] = {config.in, config.out[0], config.out[1]}, streams[3];
  for (int i = 0; i < 3; i++) {
    if (ours[i] >= 0) SYS(__NR_fcntl, ours[i], 4 /* F_SETFL */, O_NONBLOCK_);
    streams[i] = config.attach & 1u << i ? i : -1;
  }
  if (!(config.flags & MON_DETACHED)) add_client(plan.front, streams, 1, config.attach);
  else if (let_go(), !(config.flags & MON_KEEP_STDIN)) close_input();
  must(write_all(config.release, "g", 1));
  SYS(__NR_close, config.release);
  /* No instruction comes after this one: their pages, most of what a monitor would hold, go back. */
  SYS(__NR_madvise, plan.base, plan.head.relocs & ~4095u, 4 /* MADV_DONTNEED */);

  for (;;) {
    watched = 0;
    int w_signals = watch(signals, POLLIN_), w_ready = watch(config.ready, POLLIN_), w_listen = watch(config.listener, POLLIN_);
    int w_child = ended ? -1 : watch(config.pidfd, POLLIN_), w_health = watch(health_output, POLLIN_), w_out[2], w_client[CLIENTS][4];
    for (int k = 0; k < 2; k++) w_out[k] = output_room(k) ? watch(config.out[k], POLLIN_) : -1;
    int w_in = input_used && config.in >= 0 ? watch(config.in, POLLOUT_) : -1;
    EACH_CLIENT(c) {
      int *w = w_client[c - clients];
      w[0] = watch(c->control, POLLIN_);
      w[1] = !input_used && config.in >= 0 ? watch(c->in, POLLIN_) : -1;
      for (int k = 0; k < 2; k++) w[2 + k] = c->queues[k].end ? watch(c->out[k], POLLOUT_) : -1;
    }
    /* Once the container has ended, its output is only what is left in the pipes. */
    u64 sleep_ns = ended ? 200000000u : health_sleep();
    struct timespec_ limit = {(i64)(sleep_ns / 1000000000u), (i64)(sleep_ns % 1000000000u)};
    long n = SYS(__NR_ppoll, polls, watched, sleep_ns == ~0ull ? 0 : &limit, 0, 8);
    if (n < 0) continue;
    u32 info[32];
    while (fired(w_signals) && SYS(__NR_read, signals, info, sizeof info) > 0)
      if (info[0] != SIGCHLD_ && info[0] != SIGWINCH_ && info[0] != SIGPIPE_ && !ended)
        SYS(__NR_pidfd_send_signal, config.pidfd, info[0], 0, 0);
    EACH_CLIENT(c) {
      const int *w = w_client[c - clients];
      for (int k = 0; k < 2; k++) if (c->used && fired(w[2 + k])) flush_client(c, k);
      if (c->used && fired(w[1])) read_client(c);
      if (c->used && fired(w[0])) read_control(c);
    }
    if (fired(w_ready)) began();
    if (fired(w_listen)) accept_client();
    if (fired(w_in)) flush_input();
    if (fired(w_health)) health_read();
    for (int k = 0; k < 2; k++)
      if (fired(w_out[k]) && !read_output(k) && config.out[k] >= 0 && polls[w_out[k]].revents == POLLHUP_ && !ended) {
        struct timespec_ nap = {0, 10000000}; /* a hung-up pty is always ready: look again a little later */
        SYS(__NR_nanosleep, &nap, 0);
      }
    if (fired(w_signals) || fired(w_child)) reap();
    health_tick();
    if (!ended) continue;
    /* Whatever it wrote is in the pipes by now: read to the end, or until nothing comes any more. */
    int idle = n == 0, left = 0;
    for (int k = 0; k < 2; k++) {
      while (read_output(k)) idle = 0;
      if (config.out[k] >= 0) left = 1;
      EACH_CLIENT(c) if (c->queues[k].end && c->out[k] >= 0) idle = 0, left = 1;
    }
    if (!left || idle) finish();
  }
}
