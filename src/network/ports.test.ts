import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chooseHostPorts, findConflict, formatExposed, parseExpose, parsePublish, portsConflict, publishExposed } from "./ports.ts";
import type { PortSpec } from "./ports.ts";

const spec = (hostIp: string, hostPort: number, containerPort: number, protocol: PortSpec["protocol"] = "tcp"): PortSpec => ({ hostIp, hostPort, containerPort, protocol });

describe("parsePublish", () => {
  test.each<[string, PortSpec[]]>([
    ["80", [spec("", 0, 80)]],
    ["8080:80", [spec("", 8080, 80)]],
    ["8080:80/udp", [spec("", 8080, 80, "udp")]],
    ["8080:80/SCTP", [spec("", 8080, 80, "sctp")]],
    [":80", [spec("", 0, 80)]],
    ["0:80", [spec("", 0, 80)]],
    ["127.0.0.1:8080:80", [spec("127.0.0.1", 8080, 80)]],
    ["127.0.0.1::80", [spec("127.0.0.1", 0, 80)]],
    ["[::1]:8080:80", [spec("::1", 8080, 80)]],
    ["[::1]::80", [spec("::1", 0, 80)]],
    ["::1:8080:80", [spec("::1", 8080, 80)]],
    ["[0:0::1]:8080:80", [spec("::1", 8080, 80)]],
    ["8080-8082:80-82", [spec("", 8080, 80), spec("", 8081, 81), spec("", 8082, 82)]],
    ["80-81", [spec("", 0, 80), spec("", 0, 81)]],
    ["8000-8010:80", [{ ...spec("", 8000, 80), hostPortEnd: 8010 }]],
    ["published=8080,target=80,protocol=udp,mode=host", [spec("", 8080, 80, "udp")]],
    ["target=80", [spec("", 0, 80)]],
  ])("%s", (text, expected) => {
    expect(parsePublish(text)).toEqual(expected);
  });
  // What `docker run -p` answers, word for word, but where a comment says otherwise.
  test.each([
    ["abc", "invalid containerPort: abc"],
    ["80:abc", "invalid containerPort: abc"],
    ["70000", "invalid containerPort: 70000"],
    ["80/foo", "invalid proto: foo"],
    ["80-90:80-85", "invalid ranges specified for container and host Ports: 80-85 and 80-90"],
    ["90-80:80-90", "invalid hostPort: 90-80"],
    ["1.2.3:80:80", "invalid IP address: 1.2.3"],
    ["host:80:80", "invalid IP address: host"],
    ["80:80:80:80", "invalid IP address: 80:80"],
    ["", "no port specified: <empty>"],
    [":", "no port specified: :<empty>"],
    ["80:", "no port specified: 80:<empty>"],
    ["-1:80", "invalid hostPort: -1"],
    ["1.2.3.4:80", "invalid hostPort: 1.2.3.4"],
    ["published=80,target=abc", "invalid containerPort: abc"],
    ["published=80,target", "invalid publish opts format (should be name=value but got 'target')"],
    ["published=80", "no port specified: 80:/tcp<empty>"],
    // Docker lets these by and fails later, or does something else than was written.
    ["0", "invalid containerPort: 0"],
    ["80/", "invalid proto: "],
    ["80:80/tcp/udp", "invalid proto: tcp/udp"],
    ["foo=1,target=80", "invalid publish opts key: foo"],
    ["target=80,mode=x", "invalid publish opts value mode=x"],
    ["target=1:2", "invalid containerPort: 1:2"],
    ["[::1]80:80", "invalid IP address: [::1]80"],
    ["[::1", "invalid IP address: [:"],
    ["[1.2.3.4]:80:80", "invalid IP address: [1.2.3.4]"],
    ["0-10:80-90", "invalid ranges specified"],
    ["80 :80", "invalid hostPort: 80 "],
    ["0x50:80", "invalid hostPort: 0x50"],
  ])("%p is refused", (text, message) => {
    expect(() => parsePublish(text)).toThrow(message);
  });
  test("any text gives ports within bounds or one SampanError", () => {
    fc.assert(fc.property(fc.oneof(fc.stringMatching(/^[0-9:.[\]/a-f=,-]{0,24}$/), fc.string()), (text) => {
      try {
        for (const s of parsePublish(text)) {
          expect(s.containerPort).toBeWithin(1, 65536);
          expect(s.hostPort).toBeWithin(0, 65536);
        }
      } catch (error) {
        expect(error).toHaveProperty("kind", "invalid");
      }
    }), { numRuns: 500 });
  });
});

test("--expose", () => {
  expect(parseExpose("80").map(formatExposed)).toEqual(["80/tcp"]);
  expect(parseExpose("80-82/udp").map(formatExposed)).toEqual(["80/udp", "81/udp", "82/udp"]);
  for (const bad of ["abc", "90-80", "70000", "0", ""]) expect(() => parseExpose(bad)).toThrow(`invalid range format for --expose: ${bad}`);
  expect(() => parseExpose("80:80")).toThrow("invalid port format for --expose: 80:80");
  expect(() => parseExpose("80/x")).toThrow("invalid proto: x");
});

describe("conflicts", () => {
  test.each<[string, string, boolean]>([
    ["80:1", "80:2", true],
    ["80:1", "80:1/udp", false],
    ["80:1", "81:1", false],
    ["127.0.0.1:80:1", "80:1", true],
    ["127.0.0.1:80:1", "127.0.0.2:80:1", false],
    ["0.0.0.0:80:1", "127.0.0.2:80:1", true],
    ["[::]:80:1", "127.0.0.2:80:1", false],
    ["[::]:80:1", "[::1]:80:1", true],
    ["[::]:80:1", "80:1", true],
    ["1", "2", false],
  ])("%s and %s", (a, b, conflict) => {
    const [x, y] = [parsePublish(a)[0]!, parsePublish(b)[0]!];
    expect(portsConflict(x, y)).toBe(conflict);
    expect(portsConflict(y, x)).toBe(conflict);
    expect(findConflict([x, y]) !== undefined).toBe(conflict);
  });
  test("-P leaves alone what is published", () => {
    expect(publishExposed(parseExpose("80-81"), parsePublish("8080:80"))).toEqual([spec("", 0, 81)]);
  });
});

describe("chooseHostPorts", () => {
  const free = { ephemeral: { first: 40000, last: 40003 }, seed: 2, holder: () => undefined };
  test("fixed ports stay, random ones come from the range, each once", () => {
    const got = chooseHostPorts([...parsePublish("80"), ...parsePublish("40002:81"), ...parsePublish("82")], free);
    expect(got.map((p) => p.hostPort)).toEqual([40003, 40002, 40000]);
  });
  test("a busy port is told with its holder", () => {
    const holder = (p: { hostPort: number }) => (p.hostPort === 80 ? "nginx (pid 7)" : undefined);
    expect(() => chooseHostPorts(parsePublish("127.0.0.1:80:80"), { ...free, holder })).toThrow("Cannot publish port 127.0.0.1:80/tcp: port is already allocated, nginx (pid 7) has it");
    expect(chooseHostPorts(parsePublish("80-81:80"), { ...free, holder })[0]?.hostPort).toBe(81);
    expect(() => chooseHostPorts(parsePublish("80-81:80"), { ...free, holder: () => "x" })).toThrow("no port from 80 to 81 is free");
    expect(() => chooseHostPorts(parsePublish("1"), { ...free, holder: () => "x" })).toThrow("no port from 40000 to 40003 is free");
  });
  test("one container cannot have a port twice", () => {
    expect(() => chooseHostPorts([...parsePublish("80:1"), ...parsePublish("80:2")], free)).toThrow("this container publishes it twice");
    expect(chooseHostPorts([...parsePublish("80:1/udp"), ...parsePublish("80:1")], free)).toHaveLength(2);
  });
});
