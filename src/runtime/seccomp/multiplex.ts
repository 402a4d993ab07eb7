/** A call that i386 may also make through socketcall(2) or ipc(2). */
export interface MultiplexedCall {
  readonly name: string;
  readonly through: "socketcall" | "ipc";
  /** The first argument that asks for it (linux/net.h, linux/ipc.h). */
  readonly call: number;
}

/** In socketcall's order, from 1 on. */
const SOCKETCALL =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt " +
  "getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";
const IPC =
  "semop 1 semget 2 semctl 3 semtimedop 4 msgsnd 11 msgrcv 12 msgget 13 msgctl 14 shmat 21 shmdt 22 shmget 23 shmctl 24";

/**
 * The calls that i386 has two doors to. A rule for one of them must hold for both doors, as libseccomp makes it hold.
 * The other arguments of socketcall are in memory, where no filter can look: argument conditions on a
 * call's first argument are lost there, and those on others compare whatever the caller put.
 */
export function multiplexedCalls(): MultiplexedCall[] {
  const calls: MultiplexedCall[] = SOCKETCALL.split(" ").map((name, index) => ({ name, through: "socketcall", call: index + 1 }));
  for (const [, name, call] of IPC.matchAll(/(\w+) (\d+)/g)) calls.push({ name: name ?? "", through: "ipc", call: Number(call) });
  return calls;
}
