import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseRecords } from "./log-files.ts";
import { networkBytes } from "./stats.ts";
import { parsePs } from "./top.ts";

test("of ps only the container's rows are kept, the last column whole", () => {
  const text = "  PID USER     COMMAND\n    1 root     /sbin/init splash\n   42 app      sh -c  sleep 1\n";
  expect(parsePs(text, new Set([42]))).toEqual({ titles: ["PID", "USER", "COMMAND"], processes: [["42", "app", "sh -c sleep 1"]] });
  expect(() => parsePs("USER\nroot\n", new Set([1]))).toThrow("Couldn't find PID field in ps output");
});

test("network bytes are summed without the loopback", () => {
  const text = "Inter-|   Receive    |  Transmit\n face |bytes packets|bytes\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n  eth1:20 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0\n";
  expect(networkBytes(text)).toEqual({ received: 120, sent: 10 });
});

test("records are read whole, wherever a chunk of the log ends", () => {
  const time = "2024-01-02T03:04:05.123456789Z";
  const record = fc.record({
    stream: fc.constantFrom("stdout", "stderr"),
    whole: fc.boolean(),
    content: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 11 : byte)))),
  });
  fc.assert(fc.property(fc.array(record, { maxLength: 20 }), fc.nat(), (records, seed) => {
    const log = Buffer.concat(records.flatMap(({ stream, whole, content }) => [
      Buffer.from(`${time} ${stream} ${whole ? "F" : "P"} `),
      content,
      Buffer.from("\n"),
    ]));
    const cut = log.length === 0 ? 0 : seed % log.length;
    const first = parseRecords(log.subarray(0, cut));
    const second = parseRecords(log.subarray(first.used));
    const read = [...first.lines, ...second.lines].map(({ stream, data, time: at }) => [stream, at, Buffer.from(data).toString("hex")]);
    expect(read).toEqual(records.map(({ stream, whole, content }) => [stream, time, content.toString("hex") + (whole ? "0a" : "")]));
  }));
});
