import { describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describeHolder, findHolder, findListener, parseProcNet, parseProcNetSctp, readListeners } from "./busy-ports.ts";
import type { Listener } from "./busy-ports.ts";

async function listening(host: string): Promise<{ port: number; close: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host, port: 0, ipv6Only: false }, resolve));
  // A TCP server's address is always an AddressInfo.
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

describe("sockets of this very process", () => {
  test.each(["127.0.0.1", "::1", "0.0.0.0", "::"])("TCP on %s is found, with its holder", async (host) => {
    const server = await listening(host);
    try {
      const listener = findListener({ hostIp: "", hostPort: server.port, containerPort: 1, protocol: "tcp" }, readListeners(["tcp"]));
      expect(listener).toMatchObject({ address: host, port: server.port });
      expect(findHolder(listener!.inode)).toMatchObject({ pid: process.pid });
      expect(describeHolder(listener!)).toContain(`(pid ${process.pid})`);
    } finally {
      server.close();
    }
  });
  test("UDP too, and a connection of the same port number is none", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address();
    expect(findListener({ hostIp: "127.0.0.1", hostPort: port, containerPort: 1, protocol: "udp" }, readListeners(["udp"]))).toMatchObject({
      address: "127.0.0.1",
    });
    expect(findListener({ hostIp: "127.0.0.1", hostPort: port, containerPort: 1, protocol: "tcp" }, readListeners(["udp"]))).toBeUndefined();
    socket.close();
  });
});

test("text of /proc/net", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  expect(parseProcNet(`${head}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x\n   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 x\n`, "tcp"))
    .toEqual([{ protocol: "tcp", address: "127.0.0.1", port: 8080, inode: 4711 }]);
  expect(parseProcNet(`${head}   0: B80D0120000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9 2 x 0\n`, "udp"))
    .toEqual([{ protocol: "udp", address: "2001:db8::1", port: 53, inode: 9 }]);
  expect(parseProcNetSctp(" ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS\nffff8881 ffff8882 2   10  29   5000     0 77 0.0.0.0\n"))
    .toEqual([{ protocol: "sctp", address: "0.0.0.0", port: 5000, inode: 77 }]);
  expect(parseProcNet("", "tcp")).toEqual([]);
});

test.each<[string, string, boolean]>([
  ["", "127.0.0.1", true],
  ["", "::1", true],
  ["127.0.0.1", "0.0.0.0", true],
  ["127.0.0.1", "::", true],
  ["127.0.0.1", "127.0.0.2", false],
  ["127.0.0.1", "::1", false],
  ["127.0.0.1", "::ffff:127.0.0.1", true],
  ["0.0.0.0", "10.0.0.1", true],
  ["0.0.0.0", "::1", false],
  ["::", "::1", true],
  ["::1", "0.0.0.0", false],
])("publishing on %p beside a listener on %p", (hostIp, address, busy) => {
  const listener: Listener = { protocol: "tcp", address, port: 80, inode: 1 };
  expect(findListener({ hostIp, hostPort: 80, containerPort: 80, protocol: "tcp" }, [listener]) !== undefined).toBe(busy);
});
