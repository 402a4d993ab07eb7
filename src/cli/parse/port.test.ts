import { describe, expect, test } from "bun:test";
import { parseExpose, parsePrivatePort, parsePublish } from "./port.ts";

describe("parsePublish", () => {
  test.each([
    ["8080:80", { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ["80", { hostIp: "", hostPort: 0, containerPort: 80, protocol: "tcp" }],
    ["127.0.0.1:8080:80/udp", { hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "udp" }],
    ["127.0.0.1::80", { hostIp: "127.0.0.1", hostPort: 0, containerPort: 80, protocol: "tcp" }],
    ["[::1]:8080:80/SCTP", { hostIp: "::1", hostPort: 8080, containerPort: 80, protocol: "sctp" }],
    ["::1:8080:80", { hostIp: "::1", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ["8000-8010:80", { hostIp: "", hostPort: 8000, hostPortEnd: 8010, containerPort: 80, protocol: "tcp" }],
    ["8080:80/", { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ["published=8080,target=80,mode=host", { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ["published=8080,target=80,protocol=udp", { hostIp: "", hostPort: 8080, containerPort: 80, protocol: "udp" }],
  ] as const)("%s", (text, port) => expect(parsePublish(text)).toEqual([port]));

  test("ranges run side by side", () => {
    expect(parsePublish("8000-8002:80-82").map(({ hostPort, containerPort }) => [hostPort, containerPort])).toEqual([[8000, 80], [8001, 81], [8002, 82]]);
    expect(parsePublish("80-81").map(({ hostPort }) => hostPort)).toEqual([0, 0]);
  });

  test.each([
    ["99999:80", "invalid hostPort: 99999"], ["a:80", "invalid hostPort: a"], ["8080:", "no port specified: 8080:<empty>"],
    ["80:x", "invalid containerPort: x"], ["80/icmp", "invalid proto: icmp"],
    ["1.2.3:80:80", "invalid IP address: 1.2.3"], ["80-82:80-81", "invalid ranges specified for container and host Ports: 80-81 and 80-82"],
    ["82-80:80", "invalid hostPort: 82-80"], ["", "no port specified: <empty>"],
    ["80:0", "invalid containerPort: 0"], ["-1:80", "invalid hostPort: -1"], ["published", "invalid containerPort"],
    ["published=80,target", "invalid publish opts format"],
    ["target=80,colour=red", "invalid field key colour"], ["0-10:80", "invalid hostPort: 0-10"], ["0-2:80-82", "invalid hostPort: 0-2"],
    ["80:80/tcp/udp", "invalid proto: tcp/udp"], ["8000-8002-8004:80", "invalid hostPort"],
    ["localhost:80:80", "invalid IP address: localhost"], ["[::1%lo]:80:80", "invalid IP address"], ["[::1:80:80", "invalid IP address"],
    ["1:2:3:4", "invalid IP address: 1:2"], [" 80:80", "invalid hostPort"], ["+80:80", "invalid hostPort"],
    ["0x50:80", "invalid hostPort"], ["８０:80", "invalid hostPort"], ["80/tcp:80", "invalid hostPort: 80/tcp"],
    ["8000:80-82", "invalid ranges specified"], ["80:80,81:81", "invalid IP address"],
  ] as const)("refuses %p", (text, reason) => expect(() => parsePublish(text)).toThrow(reason));
});

test("parseExpose", () => {
  expect(parseExpose("80")).toEqual(["80/tcp"]);
  expect(parseExpose("8000-8001/udp")).toEqual(["8000/udp", "8001/udp"]);
  expect(() => parseExpose("99999")).toThrow("invalid range format for --expose: 99999");
  expect(parsePrivatePort("80/udp")).toBe("80/udp");
  for (const bad of ["80-81", "foo", "foo/bar", ""]) expect(() => parsePrivatePort(bad)).toThrow(`invalid port '${bad}'`);
});
