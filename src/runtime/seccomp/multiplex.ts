/**
 * i386 has two calls that stand for many: socketcall(2) and ipc(2), whose first argument says which. A rule for
 * one of the many must hold for both doors, as libseccomp makes it hold. The other arguments of socketcall
 * are in memory, where no filter can look; so an argument condition is lost there.
 */
const SOCKETCALL =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt " +
  "getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

/** The number that ipc(2) has for a call (linux/ipc.h). */
const IPC: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

/** The call by which i386 may also do `name`, and the first argument that asks for it. */
export function multiplexOf(name: string): { readonly through: "socketcall" | "ipc"; readonly call: number } | undefined {
  const socket = SOCKETCALL.split(" ").indexOf(name);
  if (socket >= 0) return { through: "socketcall", call: socket + 1 };
  const ipc = Object.hasOwn(IPC, name) ? IPC[name] : undefined;
  return ipc === undefined ? undefined : { through: "ipc", call: ipc };
}
