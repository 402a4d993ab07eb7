import { Block } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";

/**
 * Connects to a unix stream socket by its path. Through its directory, since a socket's own path is at most 107 bytes
 * (unix(7)); the caller's working directory is "/" afterwards.
 */
export function connectUnix(line: Line, path: string, { to, where, why }: { readonly to: string; readonly where: string; readonly why: string }): Call {
  const what = `connect to the ${to} "${path}" ${where}`;
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const encoded = new TextEncoder().encode(name);
  const address = new Block(110, "struct sockaddr_un").u16(0, C.AF_UNIX);
  address.bytes.set(encoded.subarray(0, 107), 2);
  line.call("chdir", [slash <= 0 ? "/" : path.slice(0, slash)], { what, why: "a relative name is short" });
  const socket = line.call("socket", [C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0], { what, why });
  line.call("connect", [socket, address, 2 + encoded.length + 1], { what, why: path });
  line.call("chdir", ["/"], { what, why: "no directory of the caller's is held" });
  return socket;
}
