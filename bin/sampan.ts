import keelPath from "../dist/keel" with { type: "file" };

declare const KEEL_VERSION: string; // set by the build
declare const BUILD_VERSION: string; // likewise

globalThis.sampanEmbedded = { path: keelPath, version: KEEL_VERSION, build: BUILD_VERSION };

/** One executable, two programs by the name that it is called by; neither loads the other. */
async function run(): Promise<number> {
  // Whoever starts it through npm's launcher cannot choose its name.
  const chosen = process.env["SAMPAN_PROGRAM"];
  if (chosen !== undefined) delete process.env["SAMPAN_PROGRAM"];
  if (chosen === "sampan-oci" || process.argv0 === "sampan-oci" || process.argv0.endsWith("/sampan-oci") || process.execPath.endsWith("/sampan-oci")) {
    const { main } = await import("../src/oci-cli/main.ts");
    return main(process.argv.slice(2));
  }
  const [{ main }, { processIo }] = await Promise.all([import("../src/cli/main.ts"), import("../src/cli/process-io.ts")]);
  return main(process.argv.slice(2), processIo());
}

// No top-level await: as CommonJS each module is loaded when it is first needed, built-in ones too.
void run().then((code) => {
  process.exitCode = code;
  // Interrupted: a read of standard input that is still under way would keep the process.
  if (code === 130) process.exit();
});
