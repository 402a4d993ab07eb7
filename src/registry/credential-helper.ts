import { SampanError, errnoOf } from "../base/index.ts";
import { isJsonObject } from "../oci/index.ts";
import { cleanText } from "./failure.ts";
import type { Environment } from "./proxy.ts";
import { cancelled } from "./retry.ts";
import type { Credential } from "./types.ts";

/**
 * Programs that keep secrets for Docker and others: `docker-credential-NAME get|store|erase`, one request on stdin, one
 * answer on stdout (docker-credential-helpers, "Development"). A secret is never an argument.
 */
const NOT_FOUND = "credentials not found in native keychain";
/** What a helper gives as the user when the secret is a refresh token. */
const TOKEN_USER = "<token>";
const OUTPUT_BYTES_MAX = 1024 * 1024;

/** Asks a helper; undefined if it knows nothing of the server. */
export async function getFromHelper(name: string, server: string, env: Environment, signal: AbortSignal | undefined): Promise<Credential | undefined> {
  const answer = await run(name, "get", server, env, signal);
  if (!answer.ok) {
    if (answer.text.includes(NOT_FOUND)) return undefined;
    throw failed(name, answer.text);
  }
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value) || typeof value["Username"] !== "string" || typeof value["Secret"] !== "string")
    throw failed(name, "its answer has no Username and Secret");
  const { Username: username, Secret: secret } = value;
  return username === TOKEN_USER ? { kind: "identity-token", token: secret } : { kind: "password", username, password: secret };
}

export async function putIntoHelper(name: string, server: string, credential: Credential, env: Environment, signal: AbortSignal | undefined): Promise<void> {
  if (credential.kind === "registry-token") throw failed(name, "it cannot keep a registry token");
  const [Username, Secret] = credential.kind === "password" ? [credential.username, credential.password] : [TOKEN_USER, credential.token];
  const answer = await run(name, "store", JSON.stringify({ ServerURL: server, Username, Secret }), env, signal);
  if (!answer.ok) throw failed(name, answer.text);
}

/** Returns false if there was nothing to erase. */
export async function eraseFromHelper(name: string, server: string, env: Environment, signal: AbortSignal | undefined): Promise<boolean> {
  const answer = await run(name, "erase", server, env, signal);
  if (!answer.ok && !answer.text.includes(NOT_FOUND)) throw failed(name, answer.text);
  return answer.ok;
}

function failed(name: string, reason: string): SampanError {
  return new SampanError("unavailable", `Cannot use credential helper "docker-credential-${name}": ${cleanText(reason) || "it failed"}`);
}

async function run(
  name: string,
  action: "get" | "store" | "erase",
  input: string,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<{ ok: boolean; text: string }> {
  // The name becomes part of a program's: it must not lead out of PATH.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new SampanError("invalid", `Cannot use credential helper ${JSON.stringify(cleanText(name, 100))}: it is not a name`);
  const { spawn } = await import("node:child_process");
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, [action], { env: { ...env }, stdio: ["pipe", "pipe", "inherit"], signal });
    let text = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
    });
    child.on("error", (error) => {
      if (signal?.aborted === true) reject(cancelled(signal));
      else reject(failed(name, errnoOf(error) === "ENOENT" ? "there is no such program in PATH" : (errnoOf(error) ?? error.message)));
    });
    child.on("close", (code) => {
      resolve({ ok: code === 0 && text.length <= OUTPUT_BYTES_MAX, text });
    });
    // A helper may answer without reading what it is told.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
