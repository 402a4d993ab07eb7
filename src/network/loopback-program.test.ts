import { describe, expect, test } from "bun:test";
import { loopbackElement, loopbackProgram } from "./loopback-program.ts";

describe("the program for ::1", () => {
  test("every jump leads to the same end, where the call is allowed", () => {
    const { bytes } = loopbackProgram();
    const view = new DataView(bytes.buffer);
    const count = bytes.length / 8;
    const jumps = Array.from({ length: count }, (_, i) => i).filter((i) => [0x5d, 0x55, 0x15].includes(view.getUint8(i * 8)));
    expect(jumps.length).toBe(6);
    for (const i of jumps) expect(i + 1 + view.getInt16(i * 8 + 2, true)).toBe(count - 2);
    expect([view.getUint8((count - 2) * 8), view.getInt32((count - 2) * 8 + 4, true), view.getUint8((count - 1) * 8)]).toEqual([0xb7, 1, 0x95]);
  });

  test("what is patched lies in the two wide loads, at words of zero", () => {
    const { bytes, mapFdAt, cookieLowAt, cookieHighAt } = loopbackProgram();
    const view = new DataView(bytes.buffer);
    for (const at of [mapFdAt, cookieLowAt, cookieHighAt]) expect(view.getInt32(at, true)).toBe(0);
    expect([view.getUint8(mapFdAt - 4), view.getUint8(mapFdAt - 3) >> 4]).toEqual([0x18, 1]);
    expect([view.getUint8(cookieLowAt - 4), view.getUint8(cookieLowAt - 3) >> 4, cookieHighAt - cookieLowAt]).toEqual([0x18, 0, 8]);
  });
});

describe("elements", () => {
  const port = { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" as const };

  test("IPv4 as a mapped address, IPv6 as itself, ports in network order", () => {
    expect(loopbackElement(port, { ipv4: "172.17.0.2" })).toEqual({
      key: Uint8Array.of(0x1f, 0x90, 0, 0, 6, 0, 0, 0),
      value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 172, 17, 0, 2, 0, 80, 0, 0),
    });
    expect(loopbackElement({ ...port, protocol: "udp" }, { ipv4: "172.17.0.2", ipv6: "fd00::2" })?.value.slice(0, 2)).toEqual(Uint8Array.of(0xfd, 0));
  });

  test("only ports that are on ::1 at all", () => {
    for (const hostIp of ["0.0.0.0", "127.0.0.1", "2001:db8::1"]) expect(loopbackElement({ ...port, hostIp }, { ipv4: "172.17.0.2" })).toBeUndefined();
    for (const hostIp of ["", "::", "::1"]) expect(loopbackElement({ ...port, hostIp }, { ipv4: "172.17.0.2" })).toBeDefined();
    expect(loopbackElement({ ...port, protocol: "sctp" }, { ipv4: "172.17.0.2" })).toBeUndefined();
    expect(loopbackElement(port, {})).toBeUndefined();
  });
});
