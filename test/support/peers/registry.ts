/**
 * Docker's own registry on the loopback address.
 *
 * Recipe, as verified with docker-registry 2.8: `docker-registry serve CONFIG.yml`, storage in the test's directory, port 0 is
 * not reported anywhere, so a free one is asked of the kernel first.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { testEnv, waitFor } from "../command.ts";

export interface RegistryOptions {
  /** Path of an htpasswd file (bcrypt): then the registry wants Basic authentication. */
  htpasswd?: string;
  /** Further top-level YAML, e.g. an `auth: token:` section. */
  yaml?: string;
}

export interface DockerRegistry extends AsyncDisposable {
  /** "127.0.0.1:PORT", as it stands before "/name:tag". */
  host: string;
  url: string;
  /** Where its blobs are: …/docker/registry/v2. */
  storage: string;
  log(): string;
}

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("The kernel named no port."));
      });
    });
  });
}

export async function dockerRegistry(dir: string, options: RegistryOptions = {}): Promise<DockerRegistry> {
  mkdirSync(dir, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const storage = join(dir, "storage");
  const auth = options.htpasswd === undefined ? "" : `auth:\n  htpasswd:\n    realm: test\n    path: ${options.htpasswd}\n`;
  const config = `version: 0.1
log: { level: info }
storage:
  filesystem: { rootdirectory: ${storage} }
  delete: { enabled: true }
http: { addr: "${host}" }
${auth}${options.yaml ?? ""}`;
  writeFileSync(join(dir, "config.yml"), config);
  const logPath = join(dir, "registry.log");
  const logFd = openSync(logPath, "a");
  const child = spawn("docker-registry", ["serve", join(dir, "config.yml")], { stdio: ["ignore", logFd, logFd], env: testEnv() });
  closeSync(logFd);
  const log = (): string => readFileSync(logPath, "utf8");
  const ended = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
  const url = `http://${host}`;
  await waitFor("docker-registry to answer", async () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended at once:\n${log()}`);
    try {
      return [200, 401].includes((await fetch(`${url}/v2/`)).status);
    } catch {
      return false; // It does not listen yet.
    }
  });
  return {
    host,
    url,
    storage,
    log,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
