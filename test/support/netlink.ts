import { applyPatches, decodeReplies } from "../../src/network/rtnetlink/index.ts";
import type { Batch, PatchSource } from "../../src/network/rtnetlink/index.ts";
import type { Netns } from "./netns.ts";

/** Sends bytes on a netlink socket of the namespace and prints what comes back: `count` acknowledgements, or a dump to its end. */
const SENDER = `
import socket, struct, sys, time
data = bytes.fromhex(sys.stdin.readline().strip()); want = int(sys.argv[1])
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, int(sys.argv[2]))
s.setsockopt(270, 11, 1)
out = b""; seen = 0; done = False
t = time.perf_counter()
s.sendto(data, (0, 0))
while not done:
    b = s.recv(1 << 20); out += b; at = 0
    while at < len(b):
        length, kind = struct.unpack_from("=IH", b, at)
        if kind == 3: done = True
        if kind == 2: seen += 1
        at += (length + 3) & ~3
    if want and seen >= want: done = True
best = time.perf_counter() - t
print(out.hex()); print(int(best * 1e6))
`;

/** The replies as they came, and the time from sending to the last of them. */
export function exchange(ns: Netns, bytes: Uint8Array, acks: number, protocol = 0): { replies: Uint8Array; micros: number } {
  const { code, stdout, stderr } = ns.attempt(["/usr/bin/python3", "-c", SENDER, String(acks), String(protocol)], `${Buffer.from(bytes).toString("hex")}\n`);
  if (code !== 0) throw new Error(stderr);
  const [hex, micros] = stdout.split("\n");
  return { replies: new Uint8Array(Buffer.from(hex ?? "", "hex")), micros: Number(micros) };
}

/** Sends a batch as the executor will: all acknowledgements read, every failure told with its label. */
export function send(ns: Netns, batch: Batch, values: Partial<Record<PatchSource, number>> = {}, options: { protocol?: number; ignore?: number[] } = {}): number {
  const { replies, micros } = exchange(ns, applyPatches(batch, values), batch.messages.length, options.protocol);
  const failures = decodeReplies(replies).filter((r) => r.errno !== 0 && options.ignore?.includes(r.errno) !== true).map((r) => `${batch.messages[r.seq - 1]?.label}: errno ${r.errno} ${r.message ?? ""}`);
  if (failures.length > 0) throw new Error(failures.join("; "));
  return micros;
}
