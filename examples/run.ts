/** A program in a container, its result, and what a failure looks like. */
import { Engine, SampanError } from "sampan";

await using engine = await Engine.open();

// A program that fails is a result.
const result = await engine.containers.run({
  image: "host",
  command: ["sh", "-c", "echo hello from $(hostname); read word; echo $word >&2; exit 3"],
  hostname: "inside",
  env: { LANG: "C" },
  stdin: "some input\n",
  network: "none",
});
console.log(`exit code ${result.exitCode}, stdout ${JSON.stringify(result.stdout)}, stderr ${JSON.stringify(result.stderr)}`);

// A container that cannot be started is an error, with its facts in fields.
try {
  await engine.containers.run({ image: "host", command: ["no-such-program"], network: "none" });
} catch (error) {
  if (!(error instanceof SampanError)) throw error;
  console.log(`${error.kind}, ${error.code}\n${error.hint}`);
}
