import { describe, expect, test } from "bun:test";
import { chooseHostPorts, findConflict, parseExpose, portsConflict, publishExposed } from "./ports.ts";
import type { PortSpec } from "./ports.ts";

const spec = (
  hostIp: string,
  hostPort: number,
  containerPort: number,
  protocol: PortSpec["protocol"] = "tcp",
): PortSpec => ({ hostIp, hostPort, containerPort, protocol });

/** "[ip:][host[-end]:]container[/protocol]", for the tests to read well: what a person types is the command line's to parse. */
function published(text: string): PortSpec {
  const [addresses = "", protocol = "tcp"] = text.split("/");
  const [container = "", host = "0", ip = ""] = addresses.split(/:(?![^[]*\])/).reverse(); // not at the colons between brackets
  const [hostPort = 0, hostPortEnd] = host.split("-").map(Number);
  const wanted = spec(ip.replace(/^\[|\]$/g, ""), hostPort, Number(container), protocol as PortSpec["protocol"]); // by the tests below
  return hostPortEnd === undefined ? wanted : { ...wanted, hostPortEnd };
}

test("--expose", () => {
  expect(parseExpose("80")).toEqual([{ port: 80, protocol: "tcp" }]);
  expect(parseExpose("80-82/udp")).toEqual([80, 81, 82].map((port) => ({ port, protocol: "udp" })));
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
    const [x, y] = [published(a), published(b)];
    expect(portsConflict(x, y)).toBe(conflict);
    expect(portsConflict(y, x)).toBe(conflict);
    expect(findConflict([x, y]) !== undefined).toBe(conflict);
  });
  test("-P leaves alone what is published", () => {
    expect(publishExposed(parseExpose("80-81"), [published("8080:80")])).toEqual([spec("", 0, 81)]);
  });
});

describe("chooseHostPorts", () => {
  const free = { ephemeral: { first: 40000, last: 40003 }, seed: 2, holder: () => undefined };
  test("fixed ports stay, random ones come from the range, each once", () => {
    const got = chooseHostPorts([published("80"), published("40002:81"), published("82")], free);
    expect(got.map((p) => p.hostPort)).toEqual([40003, 40002, 40000]);
  });
  test("a busy port is told with its holder", () => {
    const holder = (p: { hostPort: number }) => (p.hostPort === 80 ? "nginx (pid 7)" : undefined);
    expect(() => chooseHostPorts([published("127.0.0.1:80:80")], {
      ...free,
      holder,
    })).toThrow("Cannot publish port 127.0.0.1:80/tcp: port is already allocated, nginx (pid 7) has it");
    expect(chooseHostPorts([published("80-81:80")], { ...free, holder })[0]?.hostPort).toBe(81);
    expect(() => chooseHostPorts([published("80-81:80")], { ...free, holder: () => "x" })).toThrow("no port from 80 to 81 is free");
    expect(() => chooseHostPorts([published("1")], { ...free, holder: () => "x" })).toThrow("no port from 40000 to 40003 is free");
  });
  test("one container cannot have a port twice", () => {
    expect(() => chooseHostPorts([published("80:1"), published("80:2")], free)).toThrow("this container publishes it twice");
    expect(chooseHostPorts([published("80:1/udp"), published("80:1")], free)).toHaveLength(2);
  });
});
