import { describe, expect, test } from "bun:test";
import type { ExecutionConfig } from "../../oci/image-config.ts";
import { digestOf } from "../../oci/digest.ts";
import { applyChanges } from "./changes.ts";
import { appendLayer, emptyConfig } from "./config.ts";

function after(changes: string[], config: ExecutionConfig = {}): ExecutionConfig | undefined {
  return applyChanges({ ...emptyConfig({ os: "linux", architecture: "amd64" }), config }, changes).config;
}

describe("instructions", () => {
  const cases: [string, string[], ExecutionConfig, ExecutionConfig?][] = [
    ["CMD, exec form", ['CMD ["a", "b c"]'], { Cmd: ["a", "b c"] }],
    ["CMD, shell form", ["cmd echo $HOME"], { Cmd: ["/bin/sh", "-c", "echo $HOME"] }],
    ["CMD with the image's shell", ["CMD x"], { Cmd: ["/bin/bash", "-c", "x"], Shell: ["/bin/bash", "-c"] }, { Shell: ["/bin/bash", "-c"] }],
    ["CMD of nothing", ["CMD"], { Cmd: [] }, { Cmd: ["a"] }],
    ["ENTRYPOINT drops the parent's CMD", ['ENTRYPOINT ["e"]'], { Entrypoint: ["e"] }, { Cmd: ["a"] }],
    ["ENTRYPOINT keeps a CMD given with it", ["CMD [\"c\"]", 'ENTRYPOINT ["e"]'], { Cmd: ["c"], Entrypoint: ["e"] }, { Cmd: ["a"] }],
    ["ENV", ['ENV A=1 B="two words" C=$A'], { Env: ["A=0", "B=two words", "C=0"].map((entry) => entry.replace("A=0", "A=1")) }, { Env: ["A=0"] }],
    ["ENV, old form", ["ENV A the  rest \"q  r\" $PATH"], { Env: ["PATH=/bin", "A=the  rest q  r /bin"] }, { Env: ["PATH=/bin"] }],
    [
      "ENV expands what is there",
      ["ENV PATH=/x:$PATH E=${NO:-d} F=${PATH:+set} G='$PATH' H=\\$PATH"],
      { Env: ["PATH=/x:/bin", "E=d", "F=set", "G=$PATH", "H=$PATH"] },
      { Env: ["PATH=/bin"] },
    ],
    ["EXPOSE", ["EXPOSE 80 53/udp 8000-8001/TCP"], { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {} } }],
    ["LABEL", ['LABEL a=b "c d"="e f"'], { Labels: { old: "1", a: "b", "c d": "e f" } }, { Labels: { old: "1" } }],
    ["USER", ["USER 1000:1000"], { User: "1000:1000" }],
    ["VOLUME", ["VOLUME /a /b", 'VOLUME ["/c d"]'], { Volumes: { "/a": {}, "/b": {}, "/c d": {} } }],
    ["WORKDIR", ["WORKDIR /a", "WORKDIR b/../c"], { WorkingDir: "/a/c" }],
    ["ONBUILD", ["ONBUILD RUN x"], { OnBuild: ["RUN x"] }],
    ["STOPSIGNAL", ["STOPSIGNAL SIGQUIT"], { StopSignal: "SIGQUIT" }],
    [
      "HEALTHCHECK",
      ["HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl x"],
      { Healthcheck: { Test: ["CMD-SHELL", "curl x"], Interval: 90e9, Timeout: 5e8, Retries: 3 } },
    ],
    ["HEALTHCHECK NONE", ["HEALTHCHECK none"], { Healthcheck: { Test: ["NONE"] } }],
  ];
  for (const [what, changes, expected, before] of cases) {
    test(what, () => {
      expect(after(changes, before)).toEqual(expected);
    });
  }
});

describe("refused", () => {
  for (const change of [
    "", "RUN x", "ENV", "ENV A", "ENV =x", 'LABEL a="b', "EXPOSE 0", "EXPOSE 80/icmp", "EXPOSE 9-8", "USER a b", "ONBUILD FROM x",
    "HEALTHCHECK CMD", "HEALTHCHECK --interval=5 CMD x", "HEALTHCHECK --x=1 CMD x", "STOPSIGNAL a;b", "ENV A=${",
  ]) {
    test(JSON.stringify(change), () => {
      expect(() => after([change])).toThrow("Cannot apply change");
    });
  }
  test("what is no instruction, before what it lacks", () => {
    expect(() => after(["BOGUS"])).toThrow("BOGUS is not a change that can be made");
    expect(() => after(["ENV"])).toThrow("ENV needs at least one argument");
  });
});

test("history grows with every layer, and marks those without", () => {
  const config = emptyConfig({ os: "linux", architecture: "amd64" });
  const one = appendLayer(config, digestOf("a"), { created: "2024-01-01T00:00:00Z", created_by: "x" });
  const two = appendLayer(one, undefined, { created_by: "CMD" });
  expect(two.rootfs.diff_ids).toEqual([digestOf("a")]);
  expect(two.history).toEqual([{ created: "2024-01-01T00:00:00Z", created_by: "x" }, { created_by: "CMD", empty_layer: true }]);
  expect(two.created).toBe("2024-01-01T00:00:00Z");
  expect(config.history).toEqual([]);
});
