/** Many jobs, some at a time: how many primes there are below 20,000, in twenty containers. */
import { Engine } from "sampan";

await using engine = await Engine.open();

const count = `
  BEGIN {
    for (n = from; n < to; n++) {
      prime = n > 1
      for (d = 2; d * d <= n; d++) if (n % d == 0) { prime = 0; break }
      total += prime
    }
    print total + 0
  }`;
const jobs = Array.from({ length: 20 }, (_, n) => ({
  image: "host",
  command: ["awk", "-v", `from=${n * 1000}`, "-v", `to=${(n + 1) * 1000}`, count],
  network: "none",
  cpus: 1,
}));

const started = performance.now();
const results = await engine.containers.runAll(jobs, { concurrency: 4 });
const total = results.reduce((sum, { stdout }) => sum + Number(stdout), 0);
console.log(`${total} primes, by ${results.length} containers`);
console.error(`in ${Math.round(performance.now() - started)} ms`);
