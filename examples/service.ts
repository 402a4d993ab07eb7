/** A small database for a test: a published port, a volume that outlives it, removed at the end of its scope. */
import { Engine, type RunningContainer } from "sampan";

/** What runs in the container: keeps what is PUT in a file, and gives it back. Any server would do. */
const server = `
  const { createServer } = require("node:http");
  const { readFileSync, writeFileSync } = require("node:fs");
  createServer((request, response) => {
    if (request.method === "PUT") request.on("data", (data) => writeFileSync("/data/value", data)).on("end", () => response.end("kept"));
    else try { response.end(readFileSync("/data/value")); } catch { response.writeHead(404).end("nothing"); }
  }).listen(80);
`;

await using engine = await Engine.open();
await engine.volumes.create("example-data");

async function startDatabase(): Promise<{ container: RunningContainer; url: string }> {
  const container = await engine.containers.start({
    image: "host",
    // The runtime of this program is in the image, for the image is this machine.
    command: [process.execPath, "-e", server],
    ports: [{ containerPort: 80, hostIp: "127.0.0.1" }],
    mounts: [{ type: "volume", source: "example-data", target: "/data" }],
  });
  // The engine chose a free port.
  const port = (await container.inspect()).NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort;
  return { container, url: `http://127.0.0.1:${port}/` };
}

/** A container that runs is not yet a server that answers. */
async function request(url: string, init?: RequestInit): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await (await fetch(url, init)).text();
    } catch (error) {
      if (attempt === 400) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

try {
  {
    const { container, url } = await startDatabase();
    await using _database = container;
    console.log("before:", await request(url));
    console.log("write:", await request(url, { method: "PUT", body: "forty-two" }));
  }
  {
    const { container, url } = await startDatabase();
    await using _database = container;
    console.log("another one on the same volume:", await request(url));
  }
} finally {
  await engine.volumes.remove("example-data");
}
console.log("left:", (await engine.containers.list({ all: true })).length);
