/** Programs that talk: a server that says its name and who asked, and a client that asks many at once. Both Debian's Python. */

/** Argument: its name. Answers "NAME ADDRESS-OF-THE-CLIENT" on TCP port 80 and UDP port 53 of both families; prints a line when ready. */
export const SERVER = `
import socket, sys, threading, time
name = sys.argv[1]
def tcp(family, port):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("", port)); s.listen(64)
    def serve():
        while True:
            c, peer = s.accept()
            try: c.sendall((name + " " + peer[0]).encode())
            except OSError: pass
            c.close()
    threading.Thread(target=serve, daemon=True).start()
def udp(family, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("", port))
    def serve():
        while True:
            _, peer = s.recvfrom(999)
            s.sendto((name + " " + peer[0]).encode(), peer)
    threading.Thread(target=serve, daemon=True).start()
for family in (socket.AF_INET, socket.AF_INET6):
    tcp(family, 80); udp(family, 53)
print("ready", flush=True); time.sleep(600)
`;

/** Arguments: "proto,host,port[,source[,source port]]". Prints an answer per line: what was said, "refused", "timeout" or "error N". */
export const CLIENT = `
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def ask(spec):
    proto, host, port, source, sport = (spec + ",,").split(",")[:5]
    try:
        family, _, _, _, address = socket.getaddrinfo(host, int(port))[0]
        s = socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
        s.settimeout(2.5)  # a lost SYN is sent again after one second, and a neighbour is given up after three
        if source: s.bind((source, int(sport or 0)))
        s.connect(address)
        if proto == "udp": s.send(b"?")
        return s.recv(999).decode() or "closed"
    except socket.gaierror: return "unknown"
    except socket.timeout: return "timeout"
    except ConnectionRefusedError: return "refused"
    except OSError as e: return "error " + str(e.errno)
with ThreadPoolExecutor(32) as pool: print("\\n".join(pool.map(ask, sys.argv[1:])))
`;

export type Answers = Record<string, string>;

/** { "tcp,10.0.0.1,80": "web 10.0.0.2" }, from what the client printed. */
export function answersOf(specs: readonly string[], stdout: string): Answers {
  const lines = stdout.trimEnd().split("\n");
  return Object.fromEntries(specs.map((spec, i) => [spec, lines[i] ?? ""]));
}
