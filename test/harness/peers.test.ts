// The oracles themselves: each engine that other tests compare with runs a container on this machine.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  buildProbe, busyboxRootfs, createPodman, createTempDir, crun, dockerRegistry, installProbe, ociBundle, parseFacts, parseMountinfo,
  run, runc, runOk, startDockerd, statusField, type RuntimeName,
} from "../support/index.ts";

const temp = createTempDir("peers-");
const rootfs = join(temp.path, "rootfs");

beforeAll(async () => {
  await busyboxRootfs(rootfs);
  await installProbe(rootfs);
});
afterAll(() => {
  temp[Symbol.dispose]();
});

describe("OCI runtimes", () => {
  const call = { crun, runc };
  for (const name of ["crun", "runc"] satisfies RuntimeName[]) {
    test(`${name} runs the probe from its own spec default`, async () => {
      const bundle = await ociBundle(join(temp.path, name), { rootfs, args: ["/probe"], spec: name });
      const result = await call[name](join(temp.path, `${name}-state`), ["run", "-b", bundle, `peer-${name}`]);
      expect(result.stderr).toBe("");
      const facts = parseFacts(result.stdout);
      expect(facts.pid).toBe(1);
      expect(facts.hostname).toBe(name);
      expect(facts.no_new_privs).toBe(1);
      expect(statusField(facts, "CapEff")).toBe("0000000020000420");
      expect(parseMountinfo(facts.mountinfo).map((mount) => mount.target)).toContain("/proc");
    });
  }

  test("an exit code comes through", async () => {
    const bundle = await ociBundle(join(temp.path, "exit"), { rootfs, args: ["/probe", "exit", "42"] });
    expect((await crun(join(temp.path, "crun-state"), ["run", "-b", bundle, "peer-exit"])).exitCode).toBe(42);
  });
});

test("podman and buildah run containers from an imported root filesystem", async () => {
  await using engine = createPodman(join(temp.path, "podman"));
  await engine.importRootfs(rootfs, "peer:1");
  const result = await engine.podman(["run", "--rm", "--network", "none", "localhost/peer:1", "/probe"]);
  expect(result.stderr).toBe("");
  expect(parseFacts(result.stdout).pid).toBe(1);

  const detached = await engine.podman(["run", "-d", "--name", "web", "--network", "none", "localhost/peer:1", "sleep", "60"]);
  expect(detached.exitCode).toBe(0);
  expect((await engine.podman(["exec", "web", "hostname"])).stdout.trim()).toBe(detached.stdout.slice(0, 12));

  const container = (await engine.buildah(["from", "localhost/peer:1"])).stdout.trim();
  expect((await engine.buildah(["run", "--network", "none", container, "echo", "built"])).stdout.trim()).toBe("built");
});

describe("dockerd", () => {
  test("has a network of its own with published ports", async () => {
    await using engine = await startDockerd(join(temp.path, "d1"));
    await engine.importRootfs(rootfs, "peer:1");
    const result = await engine.docker(["run", "--rm", "peer:1", "/probe"]);
    expect(result.stderr).toBe("");
    expect(parseFacts(result.stdout).net_dev).toContain("eth0");
    const web = await engine.docker(["run", "-d", "-p", "8080:80", "peer:1", "sh", "-c", "echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp"]);
    expect(web.exitCode).toBe(0);
    expect((await engine.inNetwork(["curl", "-sS", "--retry", "5", "--retry-all-errors", "http://127.0.0.1:8080/"])).stdout).toBe("hello\n");
    expect((await run(["curl", "-s", "http://127.0.0.1:8080/"])).exitCode).not.toBe(0);
  });

  test("pushes to and pulls from a registry on the machine's loopback", async () => {
    await using registry = await dockerRegistry(join(temp.path, "registry"));
    await using engine = await startDockerd(join(temp.path, "d2"), { network: "host" });
    const name = `${registry.host}/team/peer:1`;
    await engine.importRootfs(rootfs, name);
    expect((await engine.docker(["push", name])).exitCode).toBe(0);
    await engine.docker(["rmi", name]);
    expect((await engine.docker(["run", "--rm", "--network", "none", name, "echo", "pulled"])).stdout).toBe("pulled\n");
    const inspected = await runOk(["skopeo", "inspect", "--tls-verify=false", `docker://${name}`]);
    expect(inspected).toContain("team/peer");
  });
});

test("the probe is static: it runs in an empty root filesystem", async () => {
  expect(await runOk(["readelf", "-l", await buildProbe()])).not.toContain("INTERP");
});
