/** The same commands to Docker and to Sampan: output, words of errors and exit codes are compared, ids left out. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, createTempDir, startDockerd, type CommandResult, type Dockerd, type Sandbox } from "../support/index.ts";

const temp = createTempDir("ld-");
let box: Sandbox;
let docker: Dockerd;
let rootfs = "";

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  box = createSandbox();
  docker = await startDockerd(join(temp.path, "d"), { network: "host" });
  await docker.importRootfs(rootfs, "bb");
}, 60_000);

afterAll(async () => {
  await docker[Symbol.asyncDispose]();
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** What must be the same: without ids, the programs' own prefixes, and Docker's second thoughts ("failed to start containers: x"). */
function comparable({ stdout, stderr, exitCode }: CommandResult): { out: string; err: string; exitCode: number | null } {
  const plain = (text: string): string => text.replaceAll(/[0-9a-f]{64}/g, "ID").trim();
  const lines = plain(stderr).split("\n")
    .map((line) => line.replace(/^(sampan|docker): /, "").replace(/^Error response from daemon: /, "").replace(/^Error: /, ""))
    .filter((line) => line !== "" && !/^(failed to |See '|time=|\/|Thaw |Start it |Does "|Usage)/.test(line));
  return { out: plain(stdout), err: lines.join("\n"), exitCode };
}

/** IMAGE stands for the root filesystem: an image of Docker's, a directory here; ~ for a space inside an argument. */
async function both(words: string): Promise<{ docker: ReturnType<typeof comparable>; sampan: ReturnType<typeof comparable> }> {
  const args = words.split(" ").map((word) => word.replaceAll("~", " "));
  const ours = args.flatMap((word) => (word === "IMAGE" ? ["--rootfs", rootfs] : [word]));
  const [theirs, mine] = await Promise.all([docker.docker(args.map((word) => (word === "IMAGE" ? "bb" : word))), box.sampan(ours)]);
  return { docker: comparable(theirs), sampan: comparable(mine) };
}

const script = `
run -d --network none --name one IMAGE sleep 1000
run -d --network none --name two IMAGE sleep 1000
run -d --network none --name two IMAGE sleep 1000
ps --format {{.Names}}
start one
pause one
pause one
ps --format {{.Names}}:{{.State}}
start one
rm one
unpause one
unpause one
rm one
rm nosuch
rm -f nosuch
kill -s FOO one
kill -s USR1 one
rename one one
rename one two
rename nosuch three
stop -t 0 one
stop one
kill one
pause one
unpause one
wait one
wait nosuch
stop nosuch two -t 0
start one nosuch
restart -t 0 one
restart nosuch
container inspect -f {{.State.Status}}:{{.State.ExitCode}}:{{.State.Pid}}:{{.RestartCount}} two
container inspect nosuch
ps -f foo=bar
ps -f status=foo
ps -f health=foo
ps -f is-task=maybe
ps -aq -f exited=1
ps -a -f status=exited --format {{.Names}}
ps -a -f name=^/o --format {{.Names}}
ps -a -f name=[ --format {{.Names}}
ps -n 1 --format {{.Names}}
create --network none --name three IMAGE sh -c exit
wait three
stop three
kill three
container inspect -f {{.State.Status}}:{{.State.ExitCode}}:{{.State.StartedAt}} three
start -a three
start -a one two
start -a three two
container inspect -f {{.State.Status}}:{{.State.ExitCode}} three
run --network none --name four IMAGE sh -c exit~7
wait four
run --rm --network none IMAGE sh -c kill~-9~$$
create --network none --name five --restart on-failure:3 IMAGE true
container inspect -f {{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}:{{.HostConfig.AutoRemove}}:{{.HostConfig.NetworkMode}} five
container inspect -f {{.Path}}:{{.Args}}:{{.Name}}:{{.Config.Tty}}:{{.Config.OpenStdin}}:{{.Config.User}}:{{.Config.Labels}} five
port one
container prune -f --filter foo=bar
container prune -f --filter label=nothing
rm -f one two three four five
ps -aq
`.trim().split("\n");

// One test: each command finds what those before it have left.
test("words, output and exit codes are Docker's", async () => {
  const differences: unknown[] = [];
  for (const line of script) {
    const result = await both(line);
    if (JSON.stringify(result.docker) !== JSON.stringify(result.sampan)) differences.push({ line, ...result });
  }
  expect(differences).toEqual([]);
}, 120_000);
