/**
 * The words of flag errors and of `--format`, against a real docker client. No daemon is needed: a client parses its flags before
 * it connects, and `docker version --format` executes its template on what the client knows of itself.
 */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { messageOf } from "../../src/base/errors.ts";
import { parseFlags } from "../../src/cli/flags/parse.ts";
import { buildRunRequest } from "../../src/cli/commands/request/build.ts";
import { runFlags } from "../../src/cli/commands/request/flags.ts";
import { compileTemplate } from "../../src/cli/output/template/index.ts";

function docker(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const result = spawnSync("docker", args, { env: { ...process.env, DOCKER_HOST: "unix:///nonexistent" }, encoding: "utf8" });
  if (result.error !== undefined) throw new Error("this test needs Debian's package docker.io (or docker-cli)", { cause: result.error });
  return result;
}

/** What Sampan says of `run …`, without its hint; "" where it would go on. */
function sampanSays(words: readonly string[]): string {
  const { values: flags, given, positionals: args, problems } = parseFlags(runFlags, words, false);
  if (problems.length > 0) return problems.join("\n");
  try {
    buildRunRequest({ flags, given, args, path: "run" }, { env: process.env, cwd: process.cwd() });
    return "";
  } catch (error) {
    return messageOf(error);
  }
}

describe("run's flags are refused in Docker's words, with its exit code", () => {
  test.each([
    "--foo x", "-Z x", "-it9 x", "---x x", "--name", "-p", "-m", "--detach=maybe x", "-it=maybe x", "--cpu-shares=abc x", "--stop-timeout=abc x", "--health-interval=abc x", "--health-interval=5 x", "--health-interval=5y x",
    "-m foo x", "--memory-swap foo x", "--shm-size=-1 x", "--cpus=abc x", "--ulimit nofile x", "--ulimit foo=3 x", "--ulimit nofile=2:1 x", "--ulimit nofile=a x",
    "-e= x", "-e =x x", "-l =x x", "--add-host foo x", "--mount foo x", "--mount type=bind x", "--mount type=volume,target=/x,readonly=2 x", "--device-cgroup-rule foo x", "-a foo x",
  ])("%s", (line) => {
    const words = line.split(" ");
    const [theirs] = docker("run", ...words).stderr.split("\n");
    const { status } = docker("run", ...words);
    // Docker 23 and later say more about an invalid boolean of a mount; the beginning is the same.
    const comparable = (text: string): string => text.replace(/: invalid boolean value.*$|invalid value for readonly.*$/, "").replace("invalid value for 'readonly'", "");
    expect(comparable(sampanSays(words))).toBe(comparable(theirs ?? ""));
    expect(status).toBe(125);
  });

  test.each(["-p 99999:80 x", "-p a:80 x", "-p 80:a x", "-p 80/icmp x", "-p 1-2:1-3 x", "--env-file /nope x", "--no-healthcheck --health-cmd x x", "--pid foo x", "--uts foo x", "--userns foo x", "--memory-swappiness 101 x"])(
    "%s (told later by Docker)",
    (line) => {
      const words = line.split(" ");
      const [theirs = ""] = docker("run", ...words).stderr.split("\n");
      // Versions differ in the first letter, the full stop, and what stands before and behind.
      const core = theirs.replace(/^docker: /, "").replace(/\.$/, "").toLowerCase().split(": ").slice(0, 2).join(": ");
      expect(sampanSays(words).toLowerCase()).toContain(core);
    },
  );

  test("lines that Docker would go on with, Sampan goes on with", () => {
    for (const line of ["-dit -p8080:80 -p=81:81 -m=64m --cpus .5 --name=web x -c --foo", "-e A -e B= --label-file /dev/null -v /a:/b:ro --tmpfs /t:size=64k --ulimit nofile=1:2 -u 0:0 x", "--net host --net-alias=a --rm=false -- x", "-h name -w /x --entrypoint= x"]) {
      const words = line.split(" ");
      const refused = sampanSays(words).replace("network-scoped aliases are only supported for user-defined networks", "");
      expect(refused).toBe("");
      expect(docker("run", ...words).stderr).toMatch(/Cannot connect to the Docker daemon|failed to connect|aliases/);
    }
  });
});

describe("templates give what Docker's give", () => {
  const version = (template: string): string => docker("version", "--format", template).stdout;
  const data: unknown = JSON.parse(version("{{json .}}"));

  test.each([
    "{{.Client.Os}}/{{.Client.Arch}}", '{{.Client.Version | upper}} {{ "a" | printf "%s-%s" "b" }}', "{{if .Server}}yes{{else}}no{{end}}", "{{with .Client}}{{.Os}}{{end}}", '{{range $i, $e := split "a,b,c" ","}}{{$i}}={{$e}};{{end}}',
    '{{join (split "a,b" ",") "-"}} {{title "hello world"}} {{lower "ABC"}}', '{{printf "%5d|%-5s|%05d|%x|%q|%v|%t" 42 "ab" 7 255 "q" 1.5 true}}', '{{printf "%5.2f|%e|%g|%s" 3.14159 1234.5 0.1 "x"}}', '{{printf "%d" "x"}} {{printf "%d"}} {{printf "%s" "a" "b"}}',
    '{{println "a" 1 2 "b"}}', '{{print 1 2 "a" "b" 3 4}}', '{{len "héllo"}} {{index (split "a b c" " ") 1}} {{slice "abcdef" 1 3}}', '{{eq 1 1}} {{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{gt "b" "a"}}', '{{and true "x"}} {{or "" "y"}} {{not 0}} {{and 1 0 2}}',
    "{{/* comment */}}x{{- /* c */ -}} y", 'a {{- "b" -}} c', "{{$x := 5}}{{$x}} {{$x = 6}}{{$x}}", "{{if eq 1 2}}a{{else if eq 1 1}}b{{else}}c{{end}}", "{{'a'}} {{0x10}} {{1e3}} {{1.5}} {{-3}} {{.5}}", '{{range $i := split "a,b,c" ","}}{{if eq $i "b"}}{{continue}}{{end}}{{$i}}{{end}}',
    '{{range split "a,b,c" ","}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', '{{with $z := "v"}}{{$z}}{{.}}{{end}}', '{{html "<a>&"}} {{urlquery "a b&c/é"}}', '{{json "a<b>"}} {{json (split "a,b" ",")}} {{split "a,b" ","}}', '{{printf "%6.1f|%6.1f|%+d|%-8s|%8s|" 2.25 2.75 3 "é" "é"}}', '{{pad "a" 1 2}}|{{truncate "abcdef" 3}}',
    '{{range split "a,b" ","}}{{$.Client.Os}}{{end}}', "{{$a := 1}}{{if true}}{{$a := 2}}{{$a}}{{end}}{{$a}}", "{{(eq 1 1) | not}}", "{{json .Client.Os | len}}",
  ])("%s", (template) => expect(`${compileTemplate(template).execute(data)}\n`).toBe(version(template)));

  test.each(["{{foo}}", "{{.Client", "{{if}}", "{{end}}", "{{else}}", '{{"unclosed}}', "{{$y}}", "{{1 | 2}}", "{{}}", "{{if .Client}}"])("%s is refused in the same words", (template) => {
    const theirs = /template: (?:version)?:(.*)/.exec(docker("version", "--format", template).stderr)?.[1];
    expect(theirs).toBeDefined();
    expect(() => compileTemplate(template)).toThrow(`template: :${theirs ?? ""}`);
  });
});
