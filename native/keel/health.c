/*
 * The health check: a prepared plan (an exec into the container) that a copy of keel runs now and then. What it
 * printed and how it ended is appended to a log; when the verdict may have changed, a program is told. Whether the
 * container is healthy is for the engine to decide from that log. Included by monitor.c.
 */
#define HEALTH_OUTPUT 4096

static int health_output = -1;
static long health_pid;
static u64 health_next = ~0ull, health_deadline = ~0ull, health_started_wall, health_started, began_ns;
static u8 health_text[HEALTH_OUTPUT];
static u32 health_used, health_failures;
static int health_passed, health_expired;

static void health_begin(void) {
  if (!config.health) return;
  began_ns = now_ns(CLOCK_MONOTONIC_);
  const struct health *h = config.health;
  health_next = began_ns + (h->start_interval_ns && h->start_period_ns ? h->start_interval_ns : h->interval_ns);
}

static u64 health_sleep(void) {
  u64 wake = health_next < health_deadline ? health_next : health_deadline;
  if (wake == ~0ull) return ~0ull;
  u64 now = now_ns(CLOCK_MONOTONIC_);
  return wake > now ? wake - now : 0;
}

static void health_run(void) {
  static char self[] = "/proc/self/exe";
  static char *argv[] = {self, 0};
  health_next = ~0ull;
  int ends[2];
  long fd = SYS(__NR_openat, AT_FDCWD_, config.health->plan, O_RDONLY_ | O_CLOEXEC_, 0);
  if (fd >= 0 && SYS(__NR_pipe2, ends, O_CLOEXEC_ | O_NONBLOCK_) == 0) {
    health_used = 0, health_expired = 0;
    health_started_wall = now_ns(CLOCK_REALTIME_);
    health_report = (int)SYS(__NR_memfd_create, "report", 1 /* CLOEXEC */);
    health_pid = start_program(self, argv, config.environ, -1, ends[1], (int)fd);
    SYS(__NR_close, ends[1]);
    health_output = ends[0];
    health_deadline = (health_started = now_ns(CLOCK_MONOTONIC_)) + config.health->timeout_ns;
  } else {
    health_next = now_ns(CLOCK_MONOTONIC_) + config.health->interval_ns;
  }
  if (fd >= 0) SYS(__NR_close, fd);
}

/* Output past the room for it is read and dropped, so that a chatty probe does not block. */
static void health_read(void) {
  u8 rest[512];
  for (;;) {
    int keep = health_used < HEALTH_OUTPUT;
    long n = SYS(__NR_read, health_output, keep ? health_text + health_used : rest,
                 keep ? HEALTH_OUTPUT - health_used : sizeof rest);
    if (n == -EAGAIN) return;
    if (n <= 0) { SYS(__NR_close, health_output); health_output = -1; return; }
    if (keep) health_used += (u32)n;
  }
}

/* "START END CODE LENGTH\n", that many bytes, "\n". Code: 999 took too long, 500 + errno did not begin; "+" before it: of the start period. */
static void health_record(int code, int starting) {
  u8 head[96];
  u32 n = put_time(head, health_started_wall);
  head[n++] = ' ';
  n += put_time(head + n, now_ns(CLOCK_REALTIME_));
  head[n++] = starting ? '+' : ' ';
  n += put_number(head + n, (u64)code, 3, ' ');
  n += put_number(head + n, health_used, 4, '\n');
  long fd = SYS(__NR_openat, AT_FDCWD_, config.health->log, O_WRONLY_ | O_CREAT_ | O_APPEND_ | O_CLOEXEC_, 0600);
  if (fd < 0) return;
  if (write_all((int)fd, head, n) == 0 && write_all((int)fd, health_text, health_used) == 0) write_all((int)fd, "\n", 1);
  long size = SYS(__NR_lseek, fd, 0, 2); /* the engine reads the last 256 KB: what is before them is given back */
  if (size > 512 << 10) SYS(__NR_fallocate, fd, 3, 0, size - (256 << 10)); /* PUNCH_HOLE, KEEP_SIZE */
  SYS(__NR_close, fd);
}

static void health_reaped(int status) {
  health_pid = 0, health_deadline = ~0ull;
  if (health_output >= 0) health_read();
  if (health_output >= 0) { SYS(__NR_close, health_output); health_output = -1; }
  struct report r = {0};
  SYS(__NR_pread64, health_report, &r, sizeof r, 0), SYS(__NR_close, health_report);
  int code = health_expired ? 999 : r.state == STATE_FAILED ? 500 + (int)r.failed_errno : shell_status(status, 0);
  const struct health *h = config.health;
  int starting = health_started - began_ns < h->start_period_ns && !health_passed;
  health_record(code, starting);
  int changed = code == 0 ? !health_passed || health_failures >= h->retries
                          : !starting && health_failures + 1 == h->retries;
  if (code == 0) { health_passed = 1; health_failures = 0; }
  else if (!starting) health_failures++;
  if (changed && h->notify && !ended) start_program(h->notify[0], h->notify, config.environ, -1, -1, -1);
  health_next = now_ns(CLOCK_MONOTONIC_) + (starting && h->start_interval_ns ? h->start_interval_ns : h->interval_ns);
}

static void health_tick(void) {
  if (!config.health || ended) return;
  u64 now = now_ns(CLOCK_MONOTONIC_);
  if (health_pid > 0 && now >= health_deadline) {
    health_expired = SYS(__NR_faccessat, AT_FDCWD_, config.health->plan, 0) == 0; /* taken away while the container is paused */
    health_deadline = health_expired ? ~0ull : now + config.health->timeout_ns;
    if (health_expired) SYS(__NR_kill, health_pid, SIGKILL_);
  }
  if (health_pid == 0 && now >= health_next) health_run();
}
