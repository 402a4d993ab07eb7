import { describe, expect, test } from "bun:test";
import { parseMount } from "./mount.ts";
import { absolutePath, parseTmpfs, parseVolume } from "./volume.ts";

const volume = (text: string) => parseVolume(text, "/home/me");
const mount = (text: string) => parseMount(text, "/home/me");

describe("-v", () => {
  test.each([
    ["/data:/srv", { type: "bind", source: "/data", target: "/srv", readonly: false, createSource: true, shorthand: "" }],
    [
      "/data:/srv:ro,rslave",
      { type: "bind", source: "/data", target: "/srv", readonly: true, createSource: true, propagation: "rslave", shorthand: "ro,rslave" },
    ],
    ["./x/../y:/srv/", { type: "bind", source: "/home/me/y", target: "/srv", readonly: false, createSource: true, shorthand: "" }],
    ["data:/srv:nocopy", { type: "volume", source: "data", target: "/srv", readonly: false, nocopy: true, shorthand: "nocopy" }],
    ["/srv", { type: "volume", source: "", target: "/srv", readonly: false, shorthand: "" }],
  ] as const)("%s", (text, expected) => expect(volume(text)).toEqual(expected));

  test.each([
    ["", "invalid empty volume spec"], [":/a", "empty section between colons"], ["/a:/b:ro:x", "too many colons"],
    ["/a:b", "mount path must be absolute"], ["/a:/", "destination can't be '/'"], ["/a:/x/..", "destination can't be '/'"],
    ["/a:/b:zz", "invalid mode: zz"], ["/a:/b:ro,rw", "invalid mode"], ["../../etc/x/y:/b:nocopy", "invalid mode: nocopy"],
    ["a/b:/c", "includes invalid characters for a local volume name"], ["relative", "mount path must be absolute"],
  ] as const)("refuses %p", (text, reason) => expect(() => volume(text)).toThrow(reason));
});

describe("--mount", () => {
  test.each([
    ["type=bind,src=/a,dst=/b,readonly", { type: "bind", source: "/a", target: "/b", readonly: true }],
    [
      "type=bind,source=./a,target=/b,ro=false,bind-propagation=rshared",
      { type: "bind", source: "/home/me/a", target: "/b", readonly: false, propagation: "rshared" },
    ],
    [
      "type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1770",
      { type: "tmpfs", source: "", target: "/t", readonly: false, tmpfsSizeBytes: 67_108_864, tmpfsMode: 0o1770 },
    ],
    ["source=data,target=/d,volume-nocopy,volume-subpath=a/b", { type: "volume", source: "data", target: "/d", readonly: false, nocopy: true, subpath: "a/b" }],
    ['"type=bind","source=/a,b",target=/c', { type: "bind", source: "/a,b", target: "/c", readonly: false }],
  ] as const)("%s", (text, expected) => expect(mount(text)).toEqual(expected));

  test.each([
    ["foo", "invalid field 'foo' must be a key=value pair"], ["type=bind", "target is required"],
    ["type=foo,target=/x", "invalid mount type"],
    ["type=bind,src=/a,dst=/b,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'bind'"],
    ["type=volume,target=/x,bogus=1", "unknown option 'bogus' in 'bogus=1'"],
    ["type=bind,source=rel,target=/x", "mount path must be absolute"], ["type=bind,target=/x", "source is required"],
    ["target=/x,source=../up", "includes invalid characters"],
    ["target=/x,source=v,volume-subpath=../a", "must stay inside the volume"], ["target=", "value is empty"],
    ["target=/x,readonly=maybe", "invalid boolean value"], ["", "value is empty"], ['"target=/x', "missing closing quote"],
  ] as const)("refuses %p", (text, reason) => expect(() => mount(text)).toThrow(reason));
});

describe("--tmpfs", () => {
  test("options as mount(8) spells them", () => {
    expect(parseTmpfs("/run:size=64k,mode=700,noexec,ro")).toEqual({
      type: "tmpfs", source: "", target: "/run", readonly: true, tmpfsSizeBytes: 65_536, tmpfsMode: 0o700, tmpfsOptions: ["noexec"],
      shorthand: "size=64k,mode=700,noexec,ro",
    });
    expect(parseTmpfs("/run:size=50%").tmpfsOptions).toEqual(["size=50%"]);
  });
  test.each(["run", "/", "/a:bogus", "/a:uid", "/a:size=x", "/a:mode=9", "/a:noexec=1", "/a:constructor"])("refuses %p", (text) =>
    expect(() => parseTmpfs(text)).toThrow());
});

test("absolutePath never leaves the root", () => {
  expect(absolutePath("../../../x", "/a")).toBe("/x");
  expect(absolutePath("/a//b/./c/..", "/")).toBe("/a/b");
});
