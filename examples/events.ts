/** Watching what happens: every container that dies, with its exit code, until there were three. */
import { Engine } from "sampan";

await using engine = await Engine.open();

// What happens before the watching has begun is told first.
const sinceMs = Date.now();

async function watch(): Promise<void> {
  let deaths = 0;
  for await (const { Action, Actor } of engine.events({ sinceMs, filters: { type: ["container"], event: ["start", "die"] } })) {
    console.log(`${Actor.Attributes["name"]}: ${Action === "die" ? `died with ${Actor.Attributes["exitCode"]}` : "started"}`);
    if (Action === "die" && ++deaths === 3) return;
  }
}

const watching = watch();
for (const exitCode of [0, 7]) await engine.containers.run({ image: "host", name: `job-${exitCode}`, command: ["sh", "-c", `exit ${exitCode}`], network: "none" });
const service = await engine.containers.start({ image: "host", name: "service", command: ["sleep", "60"], network: "none" });
await service.kill();
await watching;
await service.remove();
