import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isIP } from "node:net";
import { ipVersion, parseCidr, parseDnsSearch, parseExtraHost, parseMac } from "./address.ts";
import { parseBytesPerSecond, parseDeviceWeight, parseOperationsPerSecond } from "./block-io.ts";
import { parseCsvLine } from "./csv.ts";
import { parseDevice, parseDeviceRule } from "./device.ts";
import { collectFilters, parseFilter } from "./filter.ts";
import { pairsToRecord, parseEnv, parseLabel, parseSysctl } from "./key-value.ts";
import { parseKeyValueText } from "./kv-file.ts";
import { parseNetwork } from "./network.ts";
import { parseRestartPolicy } from "./restart.ts";
import { parseCapability, parseSecurityOption } from "./security.ts";
import { parseDetachKeys, parseSignal } from "./signal.ts";
import { parseUlimit } from "./ulimit.ts";

describe("limits of one device", () => {
  test("a path and a number", () => {
    expect(parseBytesPerSecond("/dev/sda:1.5mb")).toEqual({ path: "/dev/sda", value: 1_572_864 });
    expect(parseOperationsPerSecond("/dev/sda:0")).toEqual({ path: "/dev/sda", value: 0 });
    expect(parseDeviceWeight("/dev/sda:1000")).toEqual({ path: "/dev/sda", value: 1000 });
  });
  test.each([
    [parseBytesPerSecond, "foo", "bad format: foo"],
    [parseBytesPerSecond, "/sda:1", "bad format for device path: /sda:1"],
    [parseBytesPerSecond, "/dev/sda:1q", "invalid rate for device: /dev/sda:1q. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"],
    [
      parseOperationsPerSecond,
      "/dev/sda:1k",
      "invalid rate for device: /dev/sda:1k. The correct format is <device-path>:<number>. Number must be a positive integer",
    ],
    [parseDeviceWeight, "/dev/sda:9", "invalid weight for device: /dev/sda:9"],
  ] as const)("%p refuses %s", (parse, text, reason) => expect(() => parse(text)).toThrow(reason));
});

describe("addresses", () => {
  test("ipVersion agrees with Node's own parser", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const pieces = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(fc.constantFrom(":", "::", ".", "0", "1", "ff", "256", "1.2.3.4", "g"), { maxLength: 10 }).map((parts) => parts.join("")),
      fc.array(group).map((groups) => groups.join(":")),
    );
    fc.assert(fc.property(pieces, (text) => expect(ipVersion(text)).toBe(isIP(text) as 0 | 4 | 6)), { numRuns: 500 });
  });
  test("MAC addresses in each notation become one", () => {
    for (const text of ["92:D0:c6:0a:29:33", "92-d0-c6-0a-29-33", "92d0.c60a.2933"]) expect(parseMac(text)).toBe("92:d0:c6:0a:29:33");
    for (const text of ["92:d0:c6:0a:29", "92:d0-c6:0a:29:33", "x", ""]) expect(() => parseMac(text)).toThrow(`${text} is not a valid mac address`);
  });
  test("CIDR", () => {
    expect(parseCidr("10.0.0.0/8")).toBe("10.0.0.0/8");
    for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "/8", "10.0.0.0/-1"]) expect(() => parseCidr(text)).toThrow("invalid CIDR address");
  });
  test("add-host", () => {
    expect(parseExtraHost("db:10.0.0.1")).toBe("db:10.0.0.1");
    expect(parseExtraHost("db=[::1]")).toBe("db:::1");
    expect(parseExtraHost("me:host-gateway")).toBe("me:host-gateway");
    for (const text of ["foo", ":1.2.3.4", "a:"]) expect(() => parseExtraHost(text)).toThrow(`bad format for add-host: "${text}"`);
    expect(() => parseExtraHost("a:b")).toThrow('invalid IP address in add-host: "b"');
  });
  test("search domains", () => {
    expect(parseDnsSearch("example.com.")).toBe("example.com");
    expect(parseDnsSearch(".")).toBe(".");
    for (const text of ["", "a b", "-x", "a..b"]) expect(() => parseDnsSearch(text)).toThrow("is not a valid domain");
  });
});

describe("lists and pairs", () => {
  test("CSV round trip", () => {
    const quote = (text: string): string => (/[",\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text);
    fc.assert(fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => expect(parseCsvLine(fields.map(quote).join(","))).toEqual(fields)));
    for (const text of ['a"b', '"a', '"a"b']) expect(() => parseCsvLine(text)).toThrow("parse error");
  });
  test("environment and labels refuse an empty name alone", () => {
    expect(parseEnv("A=")).toBe("A=");
    expect(() => parseEnv("=x")).toThrow("invalid environment variable: =x");
    expect(() => parseLabel("=x")).toThrow("invalid label '=x': empty name");
    expect(pairsToRecord(["a=1", "b", "a=2=3"])).toEqual({ a: "2=3", b: "" });
    expect(JSON.stringify(pairsToRecord(["__proto__=x"]))).toBe('{"__proto__":"x"}');
  });
  test("environment files by Docker's rules", () => {
    const text = '\uFEFFA=1\n# no\n  B = 2 \n'.replace("B = 2 ", "B= 2 ") + '\r\nC="x"\r\nHOME\nMISSING\nD=\n';
    expect(parseKeyValueText(text, (key) => (key === "HOME" ? "/root" : undefined))).toEqual(["A=1", "B= 2 ", 'C="x"', "HOME=/root", "D="]);
    expect(() => parseKeyValueText("A B=1", () => undefined)).toThrow("variable 'A B' contains whitespaces");
    expect(() => parseKeyValueText("=1", () => undefined)).toThrow("no variable name on line '=1'");
  });
  test("filters", () => {
    expect(collectFilters([parseFilter("Status=running"), parseFilter("status=exited"), parseFilter("label=a=b")])).toEqual({
      status: ["running", "exited"],
      label: ["a=b"],
    });
    expect(() => parseFilter("name")).toThrow("bad format of filter");
  });
  test("sysctls of the container's namespaces alone", () => {
    expect(parseSysctl("net.ipv4.ip_forward=1")).toBe("net.ipv4.ip_forward=1");
    for (const text of ["foo", "kernel.panic=1", "vm.swappiness=1", "net.ipv4.ip_forward"])
      expect(() => parseSysctl(text)).toThrow(`sysctl '${text}' is not allowed`);
  });
});

describe("limits, devices, policies", () => {
  test("ulimits", () => {
    expect(parseUlimit("nofile=1024:2048")).toEqual({ name: "nofile", soft: 1024, hard: 2048 });
    expect(parseUlimit("core=-1")).toEqual({ name: "core", soft: -1, hard: -1 });
    expect(parseUlimit("nproc=010")).toEqual({ name: "nproc", soft: 10, hard: 10 });
    expect(() => parseUlimit("nofile")).toThrow("invalid ulimit argument: nofile");
    expect(() => parseUlimit("foo=3")).toThrow("invalid ulimit type: foo");
    expect(() => parseUlimit("nofile=2:1")).toThrow("2 > 1");
    expect(() => parseUlimit("nofile=-1:1")).toThrow("unlimited");
    expect(() => parseUlimit("nofile=1:2:3")).toThrow("too many limit value arguments");
    expect(() => parseUlimit("nofile=x")).toThrow("invalid syntax");
  });
  test("devices", () => {
    expect(parseDevice("/dev/fuse")).toEqual({ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rwm" });
    expect(parseDevice("/dev/sda:/dev/x:r")).toEqual({ hostPath: "/dev/sda", containerPath: "/dev/x", permissions: "r" });
    expect(parseDevice("/dev/sda:rw").permissions).toBe("rw");
    for (const text of [":", "a", "/dev/a:b", "/dev/a:/dev/b:rr", "/dev/a:/dev/b:r:x", ""]) expect(() => parseDevice(text)).toThrow();
    expect(parseDeviceRule("c 1:* rwm")).toBe("c 1:* rwm");
    expect(() => parseDeviceRule("c 1 r")).toThrow("invalid device cgroup format 'c 1 r'");
  });
  test("restart policies", () => {
    expect(parseRestartPolicy("on-failure:3")).toEqual({ name: "on-failure", maximumRetryCount: 3 });
    expect(parseRestartPolicy("on-unhealthy")).toEqual({ name: "on-unhealthy", maximumRetryCount: 0 });
    expect(parseRestartPolicy("")).toBeUndefined();
    for (const text of ["foo", ":3", "on-failure:x", "always:3", "on-failure:-1"]) expect(() => parseRestartPolicy(text)).toThrow("invalid restart policy");
  });
  test("signals by name and number", () => {
    for (const text of ["TERM", "sigterm", "SIGTERM", "15"]) expect(parseSignal(text)).toBe("SIGTERM");
    expect(parseSignal("37")).toBe("SIGRTMIN+3");
    expect(parseSignal("RTMAX-1")).toBe("SIGRTMIN+29");
    for (const text of ["", "0", "32", "65", "FOO", "RTMIN+31", "-9", "constructor"]) expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
  });
  test("detach keys", () => {
    expect(parseDetachKeys("ctrl-p,ctrl-q")).toBe("ctrl-p,ctrl-q");
    expect(parseDetachKeys("a,ctrl-\\")).toBe("a,ctrl-\\");
    expect(() => parseDetachKeys("ctrl-pp")).toThrow("invalid detach keys (ctrl-pp)");
  });
  test("networks", () => {
    expect(parseNetwork("front")).toEqual({ network: "front", aliases: [] });
    expect(parseNetwork("name=front,alias=a,alias=b,ip=10.0.0.2")).toEqual({ network: "front", aliases: ["a", "b"], ipv4: "10.0.0.2" });
    expect(() => parseNetwork("name=")).toThrow("network name/id is not specified");
    expect(() => parseNetwork("name=a,ip=x")).toThrow("invalid IPv4 address: x");
    expect(() => parseNetwork("name=a,bogus=1")).toThrow("invalid field key bogus");
  });
  test("security options and capabilities", () => {
    expect(parseSecurityOption("seccomp:unconfined")).toBe("seccomp=unconfined");
    expect(parseSecurityOption("no-new-privileges")).toBe("no-new-privileges");
    for (const text of ["bogus=1", "seccomp", "no-new-privileges=maybe", "seccomp="]) expect(() => parseSecurityOption(text)).toThrow("invalid --security-opt");
    expect(parseCapability("net_admin")).toBe("CAP_NET_ADMIN");
    expect(parseCapability("all")).toBe("ALL");
    expect(() => parseCapability("net admin")).toThrow("unknown capability");
  });
});
