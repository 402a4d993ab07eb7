/*
 * The binary form of a plan, little-endian. The encoder is src/plan/encode.ts; README.md describes both.
 */
#include "sys.h"

#define PLAN_MAGIC 0x314e4c504c45454bULL /* "KEELPLN1" */
#define PLAN_MAX (64u << 20)
#define REGISTERS 32
#define NONE 0xffffffffu

enum { PLAN_TRACE = 1, PLAN_FORK = 2, PLAN_LAST = 4 };

struct header {
  u64 magic;
  u32 size, count;               /* of the whole plan in bytes, header included; of its instructions */
  u32 inner, flags;              /* first instruction of the clone's side, or `count`; PLAN_* */
  u32 code, relocs, reloc_count; /* offsets; a relocation is a place in data that holds a data offset and becomes a pointer */
  u32 data, data_size, out_size; /* the data; and how many bytes calls may write for the engine to read */
  u32 keep, reserved[3];         /* descriptors from `keep` on are closed before anything else is done */
};

enum op { OP_SYS, OP_PATCH, OP_CLONE, OP_PICK, OP_SKIP, OP_FAIL, OP_CHECK, OP_SPAWN, OP_MONITOR, OP_WAIT, OP_AWAIT,
          OP_EXIT, OP_INIT, OP_FIND, OP_FRONT, OP_COUNT };
enum kind { ARG_IMM, ARG_DATA, ARG_RESULT, ARG_LOAD32, ARG_OUT, ARG_REG, ARG_KINDS };
enum cond { COND_NONE, COND_EQ, COND_NE, COND_FAILED, COND_OK, COND_KINDS };
enum { INS_EXPECT = 1, INS_ANY = 2 /* every errno is tolerated */ };
enum patch { PATCH_U32 = 4, PATCH_U64 = 8, PATCH_DECIMAL = 10, PATCH_PADDED = 11 };

struct instruction {
  u8 op, flags, reg /* 1 + register that takes the result, 0 for none */, cond;
  u32 nr;
  u8 kind[6];
  u16 reserved;
  u32 cond_index, cond_pad;
  i64 cond_value, expect;
  u16 tolerate[4];  /* errnos that do not matter, 0 for none */
  u64 arg[6];
};

struct result { i64 value; u64 start_ns, end_ns; };

enum state { STATE_RUNNING, STATE_STARTED, STATE_FAILED, STATE_EXITED, STATE_DETACHED };

/* What the engine reads back: a file that all of keel's processes share. Then struct result[count], then out_size bytes. */
struct report {
  u32 state, failed;             /* failed: NONE, or set once by whoever fails first */
  u32 failed_index, failed_errno;
  i32 child_pid, monitor_pid;
  i32 status, signal;            /* exit code, or 128 + signal; the signal */
  u64 start_ns, exit_ns;         /* CLOCK_MONOTONIC at keel's start; CLOCK_REALTIME when the child was reaped */
  u64 reserved[2];
};

/* The argument of OP_MONITOR, in data. Pointers are relocated; descriptors are patched in. */
struct monitor {
  i32 pidfd, pid;
  i32 in, out[2];                /* our ends of the container's pipes; with a terminal, `in` and `out[0]` are the pty's master */
  i32 release, ready;            /* write one byte to release; ready reads end-of-file once the program runs */
  i32 listener;                  /* unix socket on which clients ask to be attached, or -1 */
  u32 flags, attach;             /* MON_*; bit 0..2: which of the front's streams are attached, 3: it leaves when a reader does */
  const char *log;               /* path of the log file, or null */
  u64 log_max;                   /* bytes before it rotates */
  u32 log_files, detach_length;  /* how many files are kept, the current one included */
  const u8 *detach;              /* the key sequence that detaches */
  const char *status, *status_tmp;
  char **finalize, **environ;    /* argv of the program that finishes the container when nobody waits, or null */
  struct health *health;         /* or null */
  const i32 *held; u32 held_count, pad; /* sockets that keep others off the container's ports until it has ended */
};
enum { MON_TTY = 1, MON_STDIN_ONCE = 2, MON_DURABLE = 4, MON_DETACHED = 8, MON_KEEP_STDIN = 16 };

struct health {
  u64 interval_ns, timeout_ns, start_period_ns, start_interval_ns;
  u32 retries, pad;
  const char *plan;          /* path of a prepared exec plan */
  const char *log;           /* records are appended here */
  char **notify;             /* argv run when the verdict may have changed */
};
