/** Output as it comes, input as it is wanted: a calculator that is asked one question after another. */
import { Engine } from "sampan";

await using engine = await Engine.open();

let answered = (): void => undefined;
async function* questions(): AsyncGenerator<string> {
  for (const question of ["6 7", "100 23", "0 1"]) {
    const answer = new Promise<void>((resolve) => { answered = resolve; });
    yield `${question}\n`;
    await answer; // the next question waits for the answer to this one
  }
}

const calculator = engine.containers.stream({
  image: "host",
  command: ["sh", "-c", "while read a b; do echo $a times $b is $((a * b)); done"],
  stdin: questions(),
  network: "none",
});
for await (const { stream, text } of calculator) {
  console.log(`${stream}: ${text.trim()}`);
  answered();
}
console.log("ended with", (await calculator.result).exitCode);
