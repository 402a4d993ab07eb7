import { execFile, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface DebianRegistry extends AsyncDisposable {
  readonly host: string;
}

/** A self-signed certificate for localhost and 127.0.0.1, in PEM files. */
export async function makeCertificate(folder: string): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await run("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile, "-out", certFile, "-days", "2",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1",
  ]);
  return { certFile, keyFile };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Debian's docker-registry on a free port of loopback, with its storage beneath `folder`. */
export async function startDebianRegistry(folder: string, options: { user?: { name: string; password: string }; tls?: { certFile: string; keyFile: string } } = {}): Promise<DebianRegistry> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  await mkdir(join(folder, "storage"), { recursive: true });
  const lines = ["version: 0.1", "log: {level: error, accesslog: {disabled: true}}", `storage: {filesystem: {rootdirectory: ${join(folder, "storage")}}, delete: {enabled: true}}`];
  const tls = options.tls === undefined ? "" : `, tls: {certificate: ${options.tls.certFile}, key: ${options.tls.keyFile}}`;
  lines.push(`http: {addr: "${host}", secret: test${tls}}`);
  if (options.user !== undefined) {
    const { stdout } = await run("htpasswd", ["-Bbn", options.user.name, options.user.password]);
    await writeFile(join(folder, "htpasswd"), stdout);
    lines.push(`auth: {htpasswd: {realm: test, path: ${join(folder, "htpasswd")}}}`);
  }
  await writeFile(join(folder, "config.yml"), `${lines.join("\n")}\n`);
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries > 200) throw new Error(`docker-registry did not start: ${errors}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    host,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
