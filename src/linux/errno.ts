/**
 * errno(3): numbers of asm-generic (x86-64 and arm64 agree), names, and the words of strerror(3).
 * One line per number keeps it cheap to load; it is split when first asked.
 */
const TABLE = `1 EPERM operation not permitted
2 ENOENT no such file or directory
3 ESRCH no such process
4 EINTR interrupted system call
5 EIO input/output error
6 ENXIO no such device or address
7 E2BIG argument list too long
8 ENOEXEC exec format error
9 EBADF bad file descriptor
10 ECHILD no child processes
11 EAGAIN resource temporarily unavailable
12 ENOMEM cannot allocate memory
13 EACCES permission denied
14 EFAULT bad address
15 ENOTBLK block device required
16 EBUSY device or resource busy
17 EEXIST file exists
18 EXDEV invalid cross-device link
19 ENODEV no such device
20 ENOTDIR not a directory
21 EISDIR is a directory
22 EINVAL invalid argument
23 ENFILE too many open files in system
24 EMFILE too many open files
25 ENOTTY inappropriate ioctl for device
26 ETXTBSY text file busy
27 EFBIG file too large
28 ENOSPC no space left on device
29 ESPIPE illegal seek
30 EROFS read-only file system
31 EMLINK too many links
32 EPIPE broken pipe
33 EDOM numerical argument out of domain
34 ERANGE numerical result out of range
35 EDEADLK resource deadlock avoided
36 ENAMETOOLONG file name too long
37 ENOLCK no locks available
38 ENOSYS function not implemented
39 ENOTEMPTY directory not empty
40 ELOOP too many levels of symbolic links
61 ENODATA no data available
62 ETIME timer expired
71 EPROTO protocol error
74 EBADMSG bad message
75 EOVERFLOW value too large for defined data type
84 EILSEQ invalid or incomplete multibyte or wide character
87 EUSERS too many users
88 ENOTSOCK socket operation on non-socket
95 EOPNOTSUPP operation not supported
97 EAFNOSUPPORT address family not supported by protocol
98 EADDRINUSE address already in use
99 EADDRNOTAVAIL cannot assign requested address
100 ENETDOWN network is down
101 ENETUNREACH network is unreachable
103 ECONNABORTED software caused connection abort
104 ECONNRESET connection reset by peer
105 ENOBUFS no buffer space available
106 EISCONN transport endpoint is already connected
107 ENOTCONN transport endpoint is not connected
110 ETIMEDOUT connection timed out
111 ECONNREFUSED connection refused
113 EHOSTUNREACH no route to host
114 EALREADY operation already in progress
115 EINPROGRESS operation now in progress
116 ESTALE stale file handle
122 EDQUOT disk quota exceeded
125 ECANCELED operation canceled
126 ENOKEY required key not available`;

/** The few that plans name: a tolerated errno is written by name, encoded by number. */
export const Errno = {
  EPERM: 1, ENOENT: 2, EINTR: 4, EIO: 5, ENXIO: 6, ENOEXEC: 8, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EBUSY: 16, EEXIST: 17,
  EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENOTTY: 25, ETXTBSY: 26, ENOSPC: 28, EROFS: 30,
  ENAMETOOLONG: 36, ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, ENODATA: 61, EPROTO: 71, EOPNOTSUPP: 95, EADDRINUSE: 98, ETIMEDOUT: 110, ESRCH: 3,
} as const;
export type ErrnoName = keyof typeof Errno;

function row(match: (fields: string[]) => boolean): string[] | undefined {
  for (const line of TABLE.split("\n")) {
    const fields = line.split(" ");
    if (match(fields)) return fields;
  }
  return undefined;
}

/** "ENOENT" for 2; "errno 999" for a number that errno(3) does not name. */
export function errnoName(number: number): string {
  return row((fields) => fields[0] === String(number))?.[1] ?? `errno ${number}`;
}

/** "no such file or directory" for 2. */
export function errnoText(number: number): string {
  return row((fields) => fields[0] === String(number))?.slice(2).join(" ") ?? `error ${number}`;
}

/** 2 for "ENOENT"; undefined for an unknown name. */
export function errnoNumber(name: string): number | undefined {
  const found = row((fields) => fields[1] === name)?.[0];
  return found === undefined ? undefined : Number(found);
}
