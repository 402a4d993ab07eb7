import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRegistry } from "../../test/support/registry/index.ts";
import { createRegistryClient, login, logout, openDockerConfig, registryDomain, type Credential } from "./index.ts";

let folder: string;
let file: string;
const env = (more: Record<string, string> = {}): Record<string, string> => ({
  DOCKER_CONFIG: join(folder, "docker"),
  PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
  ...more,
});
const write = async (value: unknown): Promise<void> => {
  await mkdir(join(folder, "docker"), { recursive: true });
  await writeFile(file, typeof value === "string" ? value : JSON.stringify(value));
};
const readBack = async (): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });
const ANN: Credential = { kind: "password", username: "ann", password: "a:b" };
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sampan-credentials-"));
  file = join(folder, "docker", "config.json");
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe("reading config.json", () => {
  test("no file is no credentials", async () => {
    expect(await openDockerConfig(env()).get("docker.io")).toBeUndefined();
    expect(openDockerConfig({ HOME: "/home/x" }).file).toBe("/home/x/.docker/config.json");
  });

  test("entries by host, by old-style address, by Docker Hub's key", async () => {
    await write({ auths: {
      "a:5000": auth("ann:a:b"), "https://old.example/v1/": auth("o:p"), "https://index.docker.io/v1/": auth("h:u"),
      "t.example": { identitytoken: "tok" }, "r.example": { registrytoken: "reg" }, "empty.example": {},
    } });
    const store = openDockerConfig(env());
    expect(await store.get("a:5000")).toEqual(ANN);
    expect(await store.get("old.example")).toEqual({ kind: "password", username: "o", password: "p" });
    expect(await store.get("docker.io")).toEqual({ kind: "password", username: "h", password: "u" });
    expect(await store.get("t.example")).toEqual({ kind: "identity-token", token: "tok" });
    expect(await store.get("r.example")).toEqual({ kind: "registry-token", token: "reg" });
    for (const none of ["a", "a:5001", "empty.example", "evil.a:5000", "__proto__", "constructor"]) expect(await store.get(none)).toBeUndefined();
  });

  test("DOCKER_AUTH_CONFIG goes first", async () => {
    await write({ auths: { a: auth("file:x") } });
    const store = openDockerConfig(env({ DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { b: auth("env:x") } }) }));
    expect(await store.get("b")).toMatchObject({ username: "env" });
    expect(await store.get("a")).toMatchObject({ username: "file" });
  });

  test.each<[string, unknown]>([
    ["broken", "{ secret"],
    ["an array", []],
    ["auths of a string", { auths: "x" }],
    ["an auth without a colon", { auths: { a: auth("secret") } }],
  ])("says that it is %s, and quotes nothing", async (_, value) => {
    await write(value);
    const error = await failureOf(openDockerConfig(env()).get("a"));
    expect(error).toMatchObject({ kind: "invalid", message: expect.stringMatching(/^Cannot read "/) as string });
    expect(String(error)).not.toContain("secret");
  });
});

describe("writing config.json", () => {
  test("0600, atomic, everything else kept", async () => {
    const store = openDockerConfig(env());
    expect(await store.put("a:5000", ANN)).toBe("file");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "docker"))).mode & 0o777).toBe(0o700);
    await write({ psFormat: "table", auths: { b: { ...auth("b:b"), email: "x" } }, HttpHeaders: { A: "b" } });
    await chmod(file, 0o644);
    await store.put("docker.io", { kind: "identity-token", token: "tok" });
    expect(await readBack()).toEqual({
      psFormat: "table",
      HttpHeaders: { A: "b" },
      auths: { b: { ...auth("b:b"), email: "x" }, "https://index.docker.io/v1/": { identitytoken: "tok" } },
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, "docker"))).toEqual(["config.json"]);
  });

  test("through a symbolic link, which stays", async () => {
    await write({});
    await mkdir(join(folder, "link"));
    await symlink(file, join(folder, "link", "config.json"));
    await openDockerConfig({ DOCKER_CONFIG: join(folder, "link") }).put("a", ANN);
    expect(await readBack()).toEqual({ auths: { a: auth("ann:a:b") } });
  });

  test("a file that cannot be understood is not overwritten", async () => {
    await write("{ mine");
    expect(await failureOf(openDockerConfig(env()).put("a", ANN))).toMatchObject({ kind: "invalid" });
    expect(await readFile(file, "utf8")).toBe("{ mine");
  });

  test("erased under all its names", async () => {
    await write({ auths: { a: auth("x:y"), "https://a/v1/": auth("x:y"), b: auth("b:b") } });
    expect(await openDockerConfig(env()).erase("a")).toBe(true);
    expect(await readBack()).toEqual({ auths: { b: auth("b:b") } });
    expect(await openDockerConfig(env()).erase("a")).toBe(false);
  });
});

describe("credential helpers", () => {
  /** A helper that keeps one file per server, and its arguments. */
  const install = async (): Promise<void> => {
    await mkdir(join(folder, "bin"), { recursive: true });
    await mkdir(join(folder, "kept"), { recursive: true });
    await writeFile(
      join(folder, "bin", "docker-credential-test"),
      `#!/bin/sh
echo "$@" >> '${folder}/args'
input=$(cat)
case $1 in
store) printf '%s' "$input" > '${folder}/kept/secret' ;;
get) [ -e '${folder}/kept/secret' ] || { echo 'credentials not found in native keychain'; exit 1; }; cat '${folder}/kept/secret' ;;
erase) rm '${folder}/kept/secret' 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
esac
`,
    );
    await chmod(join(folder, "bin", "docker-credential-test"), 0o755);
  };

  test("keep, give and forget; the file shows only that one is logged in", async () => {
    await install();
    await write({ credHelpers: { "a:5000": "test" }, auths: {} });
    const store = openDockerConfig(env());
    expect(await store.get("a:5000")).toBeUndefined();
    expect(await store.put("a:5000", ANN)).toBe("helper");
    expect(await store.get("a:5000")).toEqual(ANN);
    expect(await readBack()).toEqual({ credHelpers: { "a:5000": "test" }, auths: { "a:5000": {} } });
    await store.put("a:5000", { kind: "identity-token", token: "tok" });
    expect(await store.get("a:5000")).toEqual({ kind: "identity-token", token: "tok" });
    expect(await store.erase("a:5000")).toBe(true);
    expect(await store.erase("a:5000")).toBe(false);
    expect(await readFile(join(folder, "args"), "utf8")).not.toContain("ann");
  });

  test("credsStore is for all the others", async () => {
    await install();
    await write({ credsStore: "test", credHelpers: { b: "" } });
    const store = openDockerConfig(env());
    expect(await store.put("c", ANN)).toBe("helper");
    expect(await store.put("b", ANN)).toBe("file");
  });

  test.each(["../../bin/sh", "a/b", "-x", "no-such-helper", "x y"])("%p is an error, not a way out of PATH", async (name) => {
    await write({ credsStore: name });
    expect(await failureOf(openDockerConfig(env()).get("a"))).toMatchObject({ message: expect.stringMatching(/^Cannot use credential helper /) as string });
  });
});

describe("login and logout", () => {
  test("keeps what the registry accepts, and only that", async () => {
    await using registry = await startRegistry({ auth: { kind: "token", username: "ann", password: "a:b", refreshToken: "refresh" } });
    await using client = createRegistryClient({ env: {} });
    const store = openDockerConfig(env());
    expect(await failureOf(login(client, store, registry.host, "ann", "wrong"))).toMatchObject({
      kind: "denied",
      message: expect.stringContaining("unauthorized") as string,
    });
    expect(await store.get(registry.host)).toBeUndefined();
    expect(await login(client, store, registry.host, "ann", "a:b")).toEqual({ domain: registry.host, keptIn: "file" });
    expect(await readBack()).toEqual({ auths: { [registry.host]: { identitytoken: "refresh" } } });
    expect(await logout(store, registry.host)).toEqual({ domain: registry.host, removed: true });
    expect(await logout(store, registry.host)).toEqual({ domain: registry.host, removed: false });
  });

  test("names of registries", async () => {
    for (const hub of [undefined, "", "docker.io", "https://index.docker.io/v1/"]) expect(registryDomain(hub)).toBe("docker.io");
    expect(registryDomain("https://a.example:5000/v2/")).toBe("a.example:5000");
    for (const bad of ["a b", "../x", "user@host", "[::1"]) expect(() => registryDomain(bad)).toThrow("Cannot use registry");
    await using client = createRegistryClient({ env: {} });
    for (const [user, password] of [["", "x"], ["a:b", "x"], ["a", ""]] as const)
      expect(await failureOf(login(client, openDockerConfig(env()), "a", user, password))).toMatchObject({ kind: "invalid" });
  });
});
