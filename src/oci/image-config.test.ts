import { describe, expect, test } from "bun:test";
import { digestOf, parseDigest } from "./digest.ts";
import { chainIds, parseImageConfig, platformOfConfig, requireMatchingLayers } from "./image-config.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const BASE = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf("a")] } };

describe("image configs", () => {
  test("known fields of both vocabularies are kept, nulls and unknown ones dropped", () => {
    const raw = bytes({
      ...BASE,
      author: null,
      container: "x",
      config: {
        Env: ["PATH=/bin"], Cmd: ["sh"], Entrypoint: null, ExposedPorts: { "80/tcp": {} }, Volumes: { "/data": {} }, Labels: { a: "b" }, ArgsEscaped: true,
        OnBuild: ["RUN x"], Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 }, Memory: 5, Shell: ["/bin/bash", "-c"], StopSignal: "SIGTERM",
      },
      history: [{ created_by: "x", empty_layer: true }],
    });
    const { config, imageId } = parseImageConfig(raw);
    expect(imageId).toBe(digestOf(raw));
    expect(config).toEqual({
      ...BASE,
      rootfs: { type: "layers", diff_ids: [digestOf("a")] },
      config: {
        Env: ["PATH=/bin"], Cmd: ["sh"], ExposedPorts: { "80/tcp": {} }, Volumes: { "/data": {} }, Labels: { a: "b" }, ArgsEscaped: true,
        OnBuild: ["RUN x"], Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 }, Shell: ["/bin/bash", "-c"], StopSignal: "SIGTERM",
      },
      history: [{ created_by: "x", empty_layer: true }],
    });
    expect(platformOfConfig(config)).toEqual({ os: "linux", architecture: "amd64" });
  });

  test.each([
    ["no rootfs", { ...BASE, rootfs: undefined }],
    ["another kind of rootfs", { ...BASE, rootfs: { type: "tree", diff_ids: [] } }],
    ["a diff ID that is a path", { ...BASE, rootfs: { type: "layers", diff_ids: ["../x"] } }],
    ["an environment of numbers", { ...BASE, config: { Env: [1] } }],
    ["a NUL in the environment", { ...BASE, config: { Env: ["A=\0"] } }],
    ["a NUL in a volume", { ...BASE, config: { Volumes: { "/a\0": {} } } }],
    ["labels of objects", { ...BASE, config: { Labels: { a: {} } } }],
    ["history of strings", { ...BASE, history: ["x"] }],
  ])("refuses %s", (_, document) => {
    expect(() => parseImageConfig(bytes(document))).toThrow("Cannot read image config");
  });

  test("one diff ID per layer", () => {
    const { config } = parseImageConfig(bytes(BASE));
    expect(() => requireMatchingLayers(config, [1, 2])).toThrow("1 diff IDs for the 2 layers");
    requireMatchingLayers(config, [1]);
  });

  test("chain ids as the specification defines them", () => {
    const [a, b] = [digestOf("a"), digestOf("b")];
    // printf '%s %s' "$a" "$b" | sha256sum
    const hash = new Bun.CryptoHasher("sha256").update(`${a} ${b}`).digest("hex");
    expect(chainIds([a, b])).toEqual([a, parseDigest(`sha256:${hash}`)]);
    expect(chainIds([])).toEqual([]);
  });
});
