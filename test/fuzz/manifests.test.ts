/** Manifests, indexes and configs from anywhere: a checked value or a SampanError, never anything else. SAMPAN_FUZZ_SECONDS (9; a minute in CI) over all kinds. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SampanError } from "../../src/base/errors.ts";
import { choosePlatform, digestOf, encodeJson, hostPlatform, MEDIA_TYPE, parseImageConfig, parseManifest, requireRunnable } from "../../src/oci/index.ts";

const seconds = Number(process.env["SAMPAN_FUZZ_SECONDS"] ?? "9") / 3;
const limits = { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false } as const;

const digest = fc.oneof(fc.string({ maxLength: 20 }).map((text) => digestOf(text) as string), fc.constantFrom("sha256:", "sha256:../x", "md5:00", "", "sha512:00"), fc.string());
const mediaType = fc.oneof(fc.constantFrom(...Object.values(MEDIA_TYPE)), fc.constantFrom("", "a/b", "__proto__", "text/plain"), fc.string());
const junk = fc.jsonValue({ maxDepth: 3 });
const or = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 8, arbitrary: value }, { weight: 1, arbitrary: junk });
const descriptor = fc.record({ mediaType: or(mediaType), digest: or(digest), size: or(fc.integer()), urls: or(fc.array(fc.string())), platform: or(fc.record({ os: fc.string(), architecture: fc.string(), variant: fc.string() }, { requiredKeys: [] })), annotations: or(fc.dictionary(fc.string(), fc.string())) }, { requiredKeys: [] });
const document = fc.record({ schemaVersion: or(fc.constantFrom(1, 2, 3)), mediaType: or(mediaType), config: or(descriptor), layers: or(fc.array(or(descriptor), { maxLength: 4 })), manifests: or(fc.array(or(descriptor), { maxLength: 4 })), Layers: junk, artifactType: or(fc.string()) }, { requiredKeys: [] });
const config = fc.record({ architecture: or(fc.string()), os: or(fc.string()), config: or(fc.dictionary(fc.constantFrom("Env", "Cmd", "Entrypoint", "Labels", "Volumes", "ExposedPorts", "Healthcheck", "User"), junk)), rootfs: or(fc.record({ type: fc.constantFrom("layers", "x"), diff_ids: or(fc.array(digest)) })), history: or(fc.array(junk)) }, { requiredKeys: [] });

/** The value, or undefined for a refusal; anything else that is thrown fails the test. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof SampanError) return undefined;
    throw error;
  }
}

describe("documents that nobody has checked", () => {
  test("manifests and indexes", () => {
    fc.assert(fc.property(document, fc.option(mediaType, { nil: undefined }), (value, type) => {
      const raw = encodeJson(value);
      const parsed = orRefused(() => parseManifest(raw, type));
      if (parsed === undefined) return;
      // What is accepted has one meaning only, and is what its bytes say.
      expect(parsed.digest).toBe(digestOf(raw));
      if (parsed.kind === "index") {
        orRefused(() => choosePlatform(parsed, hostPlatform()));
        return;
      }
      orRefused(() => requireRunnable(parsed));
      for (const { digest: name, size } of [parsed.config, ...parsed.layers]) expect([/^sha(256|512):[0-9a-f]+$/.test(name), Number.isSafeInteger(size) && size >= 0]).toEqual([true, true]);
    }), limits);
  }, (seconds + 10) * 1000);

  test("configs", () => {
    fc.assert(fc.property(config, (value) => { orRefused(() => parseImageConfig(encodeJson(value))); }), limits);
  }, (seconds + 10) * 1000);

  test("any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), mediaType, (raw, type) => {
      orRefused(() => parseManifest(raw, type));
      orRefused(() => parseImageConfig(raw));
    }), limits);
  }, (seconds + 10) * 1000);
});
