/** Code of strangers: no network, no privileges, nothing to write to but a little memory, and limits on everything. */
import { Engine, SampanError, type RunOptions } from "sampan";

await using engine = await Engine.open();

const sandbox = {
  image: "host",
  network: "none",
  user: "65534:65534",
  readonlyRootfs: true,
  capDrop: ["ALL"],
  securityOpt: ["no-new-privileges"],
  memoryBytes: 64 << 20,
  cpus: 0.5,
  pidsLimit: 32,
  timeoutMs: 3000,
  maxOutputBytes: 64 << 10,
  mounts: [{ type: "tmpfs", target: "/tmp", tmpfsSizeBytes: 1 << 20 }],
  workdir: "/tmp",
} satisfies Partial<RunOptions>;

const strangers: Record<string, string> = {
  "an honest one": "echo $((6 * 7)) > answer; cat answer",
  "one that is curious": "cat /etc/shadow",
  "one that phones home": "exec 3<>/dev/tcp/192.0.2.1/80",
  "one that writes": "echo mine > /etc/passwd",
  "one that fills the disk": "head -c 100000000 /dev/zero > big",
  "one that forks": "for i in $(seq 100); do sleep 60 & done; wait",
  "one that is greedy": "tail /dev/zero",
  "one that never ends": "while :; do :; done",
  "one that talks too much": "yes",
};

for (const [name, code] of Object.entries(strangers)) {
  try {
    const { exitCode, oomKilled, stdout } = await engine.containers.run({ ...sandbox, command: ["bash", "-c", code] });
    console.log(`${name}: ${oomKilled ? "out of memory" : exitCode === 0 ? `said ${stdout.trim()}` : "failed"}`);
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    console.log(`${name}: ${error.code === "ETIMEDOUT" ? "out of time" : error.code === "EFBIG" ? "too much output" : error.message}`);
  }
}
