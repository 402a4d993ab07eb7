/** OCI bundles for `crun`, `runc` and `sampan-oci`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOk } from "./command.ts";

/** As much of config.json as tests change; the rest is kept as the runtime wrote it. */
export interface BundleConfig {
  ociVersion: string;
  root: { path: string; readonly?: boolean };
  process: { args: string[]; terminal?: boolean; [key: string]: unknown };
  linux: { cgroupsPath?: string; [key: string]: unknown };
  [key: string]: unknown;
}

export interface BundleOptions {
  /** Absolute path of the root filesystem, shared by as many bundles as one likes. */
  rootfs: string;
  args: string[];
  /** Whose `spec` default to start from. */
  spec?: "crun" | "runc";
  /** Or a config of one's own, e.g. the one that Sampan generated. */
  config?: BundleConfig;
  /** Default "/sampan-test-<pid>-<last part of dir>": at the top, as runtimes leave a parent behind; named so that the leak check finds it. */
  cgroupsPath?: string;
  change?: (config: BundleConfig) => void;
}

export async function specConfig(runtime: "crun" | "runc"): Promise<BundleConfig> {
  // Both write config.json into the working directory and refuse to overwrite one.
  const text = await runOk(["sh", "-c", `d=$(mktemp -d) && cd "$d" && ${runtime} spec && cat config.json && rm -r "$d"`]);
  return JSON.parse(text) as BundleConfig; // written by the runtime's own "spec"
}

/** Writes DIR/config.json and returns DIR. */
export async function ociBundle(dir: string, options: BundleOptions): Promise<string> {
  mkdirSync(dir, { recursive: true });
  const config = structuredClone(options.config ?? (await specConfig(options.spec ?? "crun")));
  config.root = { path: options.rootfs, readonly: config.root.readonly ?? true };
  config.process.args = options.args;
  config.process.terminal = false;
  config.linux.cgroupsPath = options.cgroupsPath ?? `/sampan-test-${process.pid}-${dir.split("/").at(-1) ?? ""}`;
  options.change?.(config);
  writeFileSync(join(dir, "config.json"), JSON.stringify(config, null, 2));
  return dir;
}
