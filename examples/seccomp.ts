/** A seccomp profile of one's own, as Docker and the OCI runtime spec write it: here one without directories and without ptrace(2). */
import { Engine } from "sampan";

await using engine = await Engine.open();

const seccomp = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 },
    { names: ["ptrace"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
  ],
};

const run = (command: string[], more: Partial<Parameters<typeof engine.containers.run>[0]> = {}) =>
  engine.containers.run({ image: "host", command, network: "none", env: { LC_ALL: "C" }, ...more });

console.log("without:", (await run(["mkdir", "/tmp/new"])).exitCode);
const { exitCode, stderr } = await run(["mkdir", "/tmp/new"], { seccomp });
console.log("with:", exitCode, stderr.trim());
console.log("files are allowed:", (await run(["touch", "/tmp/new"], { seccomp })).exitCode);
console.log("filters:", (await run(["grep", "-c", "Seccomp:.2", "/proc/self/status"], { seccomp })).stdout.trim());
