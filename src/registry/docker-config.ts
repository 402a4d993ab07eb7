import { randomBytes } from "node:crypto";
import { SampanError, errnoOf } from "../base/index.ts";
import { isJsonObject, type JsonObject } from "../oci/index.ts";
import { eraseFromHelper, getFromHelper, putIntoHelper } from "./credential-helper.ts";
import type { Environment } from "./proxy.ts";
import type { Credential, CredentialSource, WaitOptions } from "./types.ts";

/** Docker keeps Docker Hub's credentials under the address that its first index had. */
const HUB_KEY = "https://index.docker.io/v1/";
const CONFIG_BYTES_MAX = 16 * 1024 * 1024;

/** Where credentials live: Docker's own `config.json`, so that `docker login` and `sampan login` are one thing. */
export interface CredentialStore extends CredentialSource {
  /** The file, for messages. */
  readonly file: string;
  /** Says where it went: "file" is unencrypted. */
  put(domain: string, credential: Credential, options?: WaitOptions): Promise<"file" | "helper">;
  /** Returns false if there was none. */
  erase(domain: string, options?: WaitOptions): Promise<boolean>;
}

/** Opens `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`; nothing is read before it is needed. */
export function openDockerConfig(env: Environment = process.env): CredentialStore {
  const folder = env["DOCKER_CONFIG"] ?? `${env["HOME"] ?? "/root"}/.docker`;
  const file = `${folder}/config.json`;
  return {
    file,
    async get(domain, options = {}) {
      const key = keyOf(domain);
      const fromEnv = env["DOCKER_AUTH_CONFIG"];
      if (fromEnv !== undefined && fromEnv !== "") {
        const found = fromAuths(parseConfig(fromEnv, "$DOCKER_AUTH_CONFIG"), key, "$DOCKER_AUTH_CONFIG");
        if (found !== undefined) return found;
      }
      const config = await readConfig(file);
      const helper = helperFor(config, key, file);
      return (helper === undefined ? undefined : await getFromHelper(helper, key, env, options.signal)) ?? fromAuths(config, key, file);
    },
    async put(domain, credential, options = {}) {
      const key = keyOf(domain);
      const config = await readConfig(file);
      const helper = helperFor(config, key, file);
      if (helper !== undefined) await putIntoHelper(helper, key, credential, env, options.signal);
      // With a helper the file keeps an empty entry, as Docker's does: it shows that one is logged in.
      const entry = helper === undefined ? authEntry(credential) : {};
      await writeConfig(file, { ...config, auths: { ...authsOf(config, file), [key]: entry } });
      return helper === undefined ? "file" : "helper";
    },
    async erase(domain, options = {}) {
      const key = keyOf(domain);
      const config = await readConfig(file);
      const helper = helperFor(config, key, file);
      const erased = helper === undefined ? false : await eraseFromHelper(helper, key, env, options.signal);
      const auths = authsOf(config, file);
      const keys = Object.keys(auths).filter((it) => it === key || hostOf(it) === domain);
      if (keys.length === 0) return erased;
      await writeConfig(file, { ...config, auths: Object.fromEntries(Object.entries(auths).filter(([it]) => !keys.includes(it))) });
      return true;
    },
  };
}

/** The name under which Docker keeps a registry's credentials. */
export function keyOf(domain: string): string {
  return ["docker.io", "index.docker.io", "registry-1.docker.io", HUB_KEY].includes(domain) ? HUB_KEY : hostOf(domain);
}

/** "https://a:5000/v1/" is "a:5000": old files have whole addresses. */
export function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
}

async function readConfig(file: string): Promise<JsonObject> {
  const { readFile } = await import("node:fs/promises");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return {};
    throw new SampanError("denied", `Cannot read "${file}": ${errnoOf(error) ?? "unknown error"}`, { cause: error });
  }
  return text.trim() === "" ? {} : parseConfig(text, file);
}

function parseConfig(text: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = text.length > CONFIG_BYTES_MAX ? undefined : JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which is secret.
    value = undefined;
  }
  if (!isJsonObject(value)) throw new SampanError("invalid", `Cannot read "${file}": it is not a JSON object`);
  return value;
}

function objectAt(config: JsonObject, name: string, file: string): JsonObject {
  const value = Object.hasOwn(config, name) ? (config[name] ?? {}) : {};
  if (!isJsonObject(value)) throw new SampanError("invalid", `Cannot read "${file}": "${name}" is not an object`);
  return value;
}

function authsOf(config: JsonObject, file: string): JsonObject {
  return objectAt(config, "auths", file);
}

function helperFor(config: JsonObject, key: string, file: string): string | undefined {
  const helpers = objectAt(config, "credHelpers", file);
  const name = Object.hasOwn(helpers, key) ? helpers[key] : config["credsStore"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

function fromAuths(config: JsonObject, key: string, file: string): Credential | undefined {
  const auths = authsOf(config, file);
  const name = Object.hasOwn(auths, key) ? key : Object.keys(auths).find((it) => hostOf(it) === key);
  const entry = name === undefined ? undefined : auths[name];
  if (!isJsonObject(entry)) return undefined;
  const text = (field: string): string => (Object.hasOwn(entry, field) && typeof entry[field] === "string" ? entry[field] : "");
  if (text("registrytoken") !== "") return { kind: "registry-token", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identity-token", token: text("identitytoken") };
  if (text("auth") === "") return text("username") === "" ? undefined : { kind: "password", username: text("username"), password: text("password") };
  const decoded = Buffer.from(text("auth"), "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1) throw new SampanError("invalid", `Cannot read "${file}": "auth" of "${key}" is not of the form user:password in base64`);
  return { kind: "password", username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, "") };
}

function authEntry(credential: Credential): JsonObject {
  switch (credential.kind) {
    case "password":
      return { auth: Buffer.from(`${credential.username}:${credential.password}`, "utf8").toString("base64") };
    case "identity-token":
      return { identitytoken: credential.token };
    case "registry-token":
      return { registrytoken: credential.token };
  }
}

/** Whole or not at all, for the owner's eyes only, through a symbolic link to where the file is, and still its owner's. */
async function writeConfig(file: string, config: JsonObject): Promise<void> {
  const fs = await import("node:fs/promises");
  const path = await import("node:path");
  try {
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const target = await fs.realpath(file).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return file;
      throw error;
    });
    const owner = await fs.stat(target).catch(() => undefined);
    const temporary = `${target}.${randomBytes(6).toString("hex")}`;
    try {
      const handle = await fs.open(temporary, "wx", 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(config, null, "\t")}\n`);
        if (owner !== undefined && owner.uid !== process.getuid?.()) await handle.chown(owner.uid, owner.gid);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await fs.rename(temporary, target);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw new SampanError("denied", `Cannot write "${file}": ${errnoOf(error) ?? "unknown error"}`, { cause: error });
  }
}
