/*
 * The kernel's door: raw system calls for x86-64 and arm64, and the few library functions that a compiler
 * expects. keel is freestanding; -DKEEL_HOSTED builds the same source against a C library so that the
 * sanitizers can run it.
 */
#include <stddef.h>
#include <stdint.h>
#include <asm/unistd.h>
#include <linux/errno.h>

typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
typedef int32_t i32; typedef int64_t i64;

#if defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  long r;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}
#else
#error "keel runs on x86-64 and arm64"
#endif

/* A system call with up to six arguments of any scalar type; those left out are 0. */
#define SYS(...) SYS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(n, a, b, c, d, e, f, ...) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Values from the kernel's headers whose libc twins would clash with a hosted build. */
enum {
  O_RDONLY_ = 0, O_WRONLY_ = 1, O_RDWR_ = 2, O_CREAT_ = 0100, O_TRUNC_ = 01000, O_APPEND_ = 02000,
  O_NONBLOCK_ = 04000, O_CLOEXEC_ = 02000000, O_NOCTTY_ = 0400,
  POLLIN_ = 1, POLLOUT_ = 4, POLLERR_ = 8, POLLHUP_ = 16,
  SIGKILL_ = 9, SIGPIPE_ = 13, SIGCHLD_ = 17, SIGWINCH_ = 28,
  AT_FDCWD_ = -100, AT_EMPTY_PATH_ = 0x1000,
  P_PID_ = 1, WEXITED_ = 4, WNOHANG_ = 1,
  PROT_READ_ = 1, PROT_WRITE_ = 2, MAP_SHARED_ = 1, MAP_PRIVATE_ = 2, MAP_ANONYMOUS_ = 0x20, MAP_NORESERVE_ = 0x4000,
  CLOCK_REALTIME_ = 0, CLOCK_MONOTONIC_ = 1,
};

struct timespec_ { i64 sec, nsec; };
struct pollfd_ { i32 fd; int16_t events, revents; };
