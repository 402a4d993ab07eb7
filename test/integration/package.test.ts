// slow
// timeout: 600 s
/** What is handed out: packed, installed where nothing else is, without a network, and used from there. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../src/cli/version.ts";
import { REPOSITORY, removeNetworking } from "../support/index.ts";
import { nodeForTests } from "../support/node.ts";

const BUN = process.execPath;
const ARCH = process.arch;
let directory = "";
let project = "";
let prefix = "";

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[], options: { cwd?: string; env?: Record<string, string>; input?: string } = {}): Outcome {
  const [program = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: options.cwd ?? directory, env: { ...process.env, ...options.env }, encoding: "utf8", input: options.input, timeout: 240_000 });
  return { code: status, stdout, stderr };
}

function ok(command: readonly string[], options: Parameters<typeof run>[1] = {}): string {
  const { code, stdout, stderr } = run(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** An engine of its own for each that is tested. */
const engines: { readonly root: string; readonly state: string }[] = [];

function ownEngine(name: string): { SAMPAN_ROOT: string; SAMPAN_STATE: string; PATH: string } {
  engines.push({ root: join(directory, `${name}-root`), state: join(directory, `${name}-state`) });
  return { SAMPAN_ROOT: join(directory, `${name}-root`), SAMPAN_STATE: join(directory, `${name}-state`), PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
}

beforeAll(() => {
  nodeForTests(); // which may have to be fetched: not within a test's time
  directory = mkdtempSync(join(tmpdir(), "package-"));
  project = join(directory, "project");
  prefix = join(directory, "a prefix");
  mkdirSync(project);
  ok([BUN, join(REPOSITORY, "scripts/package.ts"), "--output", join(directory, "out")], { cwd: REPOSITORY });
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "version": "1.0.0", "private": true, "type": "module" }\n');
  const tarballs = [`sampan-${version}.tgz`, `sampan-linux-${ARCH}-${version}.tgz`].map((name) => join(directory, "out", name));
  ok(["npm", "install", "--offline", "--no-audit", "--no-fund", "--cache", join(directory, "empty-cache"), ...tarballs], { cwd: project });
}, 300_000);

afterAll(async () => {
  for (const engine of engines) await removeNetworking(engine);
  rmSync(directory, { recursive: true, force: true });
});

describe("the npm package", () => {
  test("holds the library and launchers, and nothing that runs at installation", () => {
    const manifest: unknown = JSON.parse(readFileSync(join(project, "node_modules/sampan/package.json"), "utf8"));
    expect(manifest).toMatchObject({ name: "sampan", optionalDependencies: { "@sampan/linux-x64": version, "@sampan/linux-arm64": version } });
    expect(manifest).not.toHaveProperty("scripts");
    expect(manifest).not.toHaveProperty("dependencies");
    expect(readdirSync(join(project, "node_modules/sampan")).filter((name) => !["LICENSE", "README.md", "dist", "package.json", "packaging"].includes(name))).toEqual([]);
    const binaries: unknown = JSON.parse(readFileSync(join(project, `node_modules/@sampan/linux-${ARCH}/package.json`), "utf8"));
    expect(binaries).toMatchObject({ os: ["linux"], cpu: [ARCH] });
    expect(binaries).not.toHaveProperty("scripts");
    expect(statSync(join(project, `node_modules/@sampan/linux-${ARCH}/keel`)).mode & 0o111).toBe(0o111);
    // Nothing of the machine on which it was built.
    for (const file of readdirSync(join(project, "node_modules/sampan/dist/lib")).filter((name) => name.endsWith(".js")))
      expect(readFileSync(join(project, "node_modules/sampan/dist/lib", file), "utf8")).not.toContain(REPOSITORY);
  });

  test("is what `npm pack` gives in a checkout too", () => {
    const [packed] = JSON.parse(ok(["npm", "pack", "--dry-run", "--ignore-scripts", "--json"], { cwd: REPOSITORY })) as { files: { path: string }[] }[]; // npm-pack(1)
    const outside = (packed?.files ?? []).map(({ path }) => path).filter((path) => !/^(dist\/lib\/|packaging\/npm\/|LICENSE$|README\.md$|package\.json$)/.test(path));
    expect(outside).toEqual([]);
  });

  const program = `
    import { Engine, SampanError } from "sampan";
    await using engine = await Engine.open();
    const { exitCode, stdout } = await engine.containers.run({ image: "host", command: ["sh", "-c", "cat; exit 7"], stdin: "fed", network: "none" });
    await using container = await engine.containers.start({ image: "host", command: ["sleep", "300"] });
    const exec = await container.exec(["echo", "exec"]);
    const kinds = [];
    try { await engine.containers.inspect("nobody"); } catch (error) { kinds.push(error instanceof SampanError && error.kind, error.constructor.name); }
    // In the background: what is compiled must end it, for this process does not.
    const short = await engine.containers.start({
      image: "host", command: ["sh", "-c", "until [ -e /gate/open ]; do sleep 0.05; done; exit 5"], network: "none", name: "short",
      mounts: [{ type: "bind", source: process.env.GATE, target: "/gate" }],
    });
    // Output that nobody reads, and a reader who never waits: neither outlives its time.
    try { await engine.containers.stream({ image: "host", command: ["yes"], network: "none", timeoutMs: 200 }).result; } catch (error) { kinds.push(error.code); }
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    try { for await (const _ of container.export({ signal: stop.signal })); } catch (error) { kinds.push(error.kind); }
    const pieces = [];
    for await (const { text } of engine.containers.stream({ image: "host", command: ["sh", "-c", "echo a; echo b"], network: "none" })) pieces.push(text);
    console.log(JSON.stringify({ exitCode, stdout, exec: exec.stdout, kinds, pieces: pieces.join(""), left: (await engine.containers.list()).length }));
  `;
  const expected = { exitCode: 7, stdout: "fed", exec: "exec\n", kinds: ["not-found", "SampanError", "ETIMEDOUT", "cancelled"], pieces: "a\nb\n", left: 2 };

  for (const [name, runtime] of [["node", () => nodeForTests()], ["bun", () => BUN]] as const) {
    test(`works on ${name}`, async () => {
      writeFileSync(join(project, `${name}.mjs`), program);
      const gate = join(directory, `${name}-gate`);
      mkdirSync(gate);
      const env = ownEngine(name);
      expect(JSON.parse(ok([runtime(), `${name}.mjs`], { cwd: project, env: { ...env, GATE: gate } }))).toEqual(expected);
      const sampan = join(project, "node_modules/.bin/sampan");
      writeFileSync(join(gate, "open"), "");
      for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
        if (ok([sampan, "ps", "-aq", "--filter", "status=exited", "--filter", "name=short"], { env }).trim() !== "") break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(ok([sampan, "inspect", "--format", "{{.State.ExitCode}}", "short"], { env })).toBe("5\n");
      ok([sampan, "rm", "short"], { env });
      expect(ok([sampan, "ps", "-aq"], { env })).toBe("");
    }, 60_000);
  }

  test("works on Node without the executable: the script finishes containers then", () => {
    const alone = join(directory, "alone");
    cpSync(join(project, "node_modules/sampan"), join(alone, "node_modules/sampan"), { recursive: true });
    writeFileSync(join(alone, "alone.mjs"), `
      import { Engine } from "sampan";
      await using engine = await Engine.open();
      const container = await engine.containers.start({ image: "host", command: ["sh", "-c", "exit 6"], network: "none" });
      console.log((await container.wait()).exitCode);
      await container.remove();
    `);
    // What is compiled is not there, but for keel, which nothing can do without.
    const env = { ...ownEngine("alone"), SAMPAN_KEEL: join(project, `node_modules/@sampan/linux-${ARCH}/keel`) };
    expect(ok([nodeForTests(), "alone.mjs"], { cwd: alone, env })).toBe("6\n");
    expect(ok([nodeForTests(), join(alone, "node_modules/sampan/dist/lib/cli.js"), "run", "--rm", "--network", "none", "host", "echo", "script"], { env })).toBe("script\n");
  }, 60_000);

  test("has launchers for both programs", () => {
    const env = ownEngine("bin");
    expect(ok([join(project, "node_modules/.bin/sampan"), "run", "--rm", "--network", "none", "host", "echo", "launched"], { env })).toBe("launched\n");
    expect(run([join(project, "node_modules/.bin/sampan"), "run", "--rm", "--network", "none", "host", "sh", "-c", "exit 9"], { env }).code).toBe(9);
    expect(ok([join(project, "node_modules/.bin/sampan-oci"), "--version"], { env })).toContain(`sampan-oci version ${version}`);
  });

  for (const [resolution, module] of [["nodenext", "nodenext"], ["bundler", "esnext"]] as const) {
    test(`has types for a consumer with moduleResolution ${resolution}`, () => {
      const consumer = join(project, `consumer-${resolution}`);
      mkdirSync(consumer);
      writeFileSync(join(consumer, "package.json"), '{ "type": "module" }\n');
      writeFileSync(join(consumer, "good.ts"), `
        import { Engine, SampanError, type RunResult } from "sampan";
        export async function main(): Promise<RunResult> {
          await using engine = await Engine.open({ root: "/r" });
          const created = await engine.containers.create({ image: "a" });
          const running = await created.start();
          const stopped = await running.stop();
          // @ts-expect-error: what has ended executes nothing
          stopped.exec(["true"]);
          // @ts-expect-error: what was never started cannot be stopped
          created.stop();
          const images = await engine.images.pull("a");
          const digest: string = images[0]!.digest;
          for await (const { status } of engine.images.pull("a")) status.length;
          try { return await engine.containers.run({ image: digest, command: ["x"], ports: [{ containerPort: 80 }] }); }
          catch (error) { if (error instanceof SampanError && error.kind === "not-found") error.hint?.length; throw error; }
        }
      `);
      // No @types/node, and the library's own declarations are checked too.
      writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions: { strict: true, module, moduleResolution: resolution, target: "esnext", lib: ["esnext", "dom"], types: [], noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true }, files: ["good.ts"] }));
      expect(run(["node", join(REPOSITORY, "node_modules/typescript/bin/tsc"), "-p", consumer])).toMatchObject({ code: 0, stdout: "" });
    }, 60_000);
  }
});

describe("the distribution", () => {
  test("installs into a prefix, runs from there, and goes without a trace", () => {
    const archive = join(directory, "out", `sampan-${version}-linux-${ARCH}.tar.gz`);
    ok(["tar", "-xzf", archive, "-C", directory]);
    const unpacked = join(directory, `sampan-${version}-linux-${ARCH}`);
    // A directory that is searched for others, and files that nobody else is to see: neither is the installation's business.
    ok(["sh", "-c", `umask 077; CDPATH='${directory}:.' sh 'sampan-${version}-linux-${ARCH}/install.sh' --prefix "$0"`, prefix]);
    expect(statSync(join(prefix, "share/man/man1")).mode & 0o777).toBe(0o755);
    const env = ownEngine("installed");
    expect(ok([join(prefix, "bin/sampan"), "run", "--rm", "--network", "none", "host", "echo", "installed"], { env })).toBe("installed\n");
    expect(ok([join(prefix, "bin/sampan-oci"), "--version"])).toContain(`sampan-oci version ${version}`);
    // In the background too: the installed one ends what nobody waits for.
    const id = ok([join(prefix, "bin/sampan"), "run", "-d", "--network", "none", "host", "true"], { env }).trim();
    expect(ok([join(prefix, "bin/sampan"), "wait", id], { env })).toBe("0\n");
    ok([join(prefix, "bin/sampan"), "rm", id], { env });
    for (const file of ["share/man/man1/sampan.1", "share/man/man1/sampan-run.1", "share/bash-completion/completions/sampan", "share/zsh/site-functions/_sampan", "share/fish/vendor_completions.d/sampan.fish"])
      expect(statSync(join(prefix, file)).mode & 0o777).toBe(0o644);
    // Once more, over itself.
    ok(["sh", join(unpacked, "install.sh"), `--prefix=${prefix}`]);
    ok(["sh", join(unpacked, "install.sh"), "--prefix", prefix, "--uninstall"]);
    expect(readdirSync(prefix, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory() || entry.name === "sampan")).toEqual([]);
    expect(run(["sh", join(unpacked, "install.sh"), "--prefix", "relative"]).code).toBe(2);
    expect(run(["sh", join(unpacked, "install.sh"), "--nonsense"]).stderr).toContain("--nonsense");
  }, 120_000);
});
