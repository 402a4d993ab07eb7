/** Completion as shells do it, and man pages as groff reads them: both are written from the command tables. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manPages } from "../../scripts/man-pages.ts";
import { SAMPAN } from "../support/index.ts";

let directory = "";
let env: Record<string, string> = {};

function shell(command: readonly string[], script: string): string {
  const [program = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: "utf8", input: script, timeout: 60_000 });
  if (status !== 0 || stderr !== "") throw new Error(`${program} ended with ${status}: ${stderr}\n${script}`);
  return stdout;
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "completion-"));
  const bin = join(SAMPAN, "..");
  env = { PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`, SAMPAN_ROOT: join(directory, "root"), SAMPAN_STATE: join(directory, "state"), HOME: directory, TERM: "dumb" };
  for (const name of ["bash", "zsh", "fish"]) writeFileSync(join(directory, name), spawnSync(SAMPAN, ["completion", name], { env, encoding: "utf8" }).stdout);
  for (const name of ["web", "worker"]) shell(["sh"], `sampan create --name ${name} --network none host true >/dev/null`);
  shell(["sh"], "sampan run -d --name alive --network none host sleep 300 >/dev/null; sampan volume create data >/dev/null");
});

afterAll(() => {
  shell(["sh"], "sampan rm -f alive web worker >/dev/null");
  rmSync(directory, { recursive: true, force: true });
});

describe("bash", () => {
  /** What bash offers when Tab is pressed at the end of a line. */
  function complete(line: string, more = ""): string[] {
    const script = `
      source ${join(directory, "bash")}
      compopt() { echo "(files)"; }
      ${more}
      COMP_LINE='${line.replaceAll("'", "'\\''")}'; COMP_POINT=\${#COMP_LINE}
      _sampan
      printf '%s\\n' "\${COMPREPLY[@]}"
    `;
    return shell(["bash", "--norc"], script).split("\n").filter((word) => word !== "").sort();
  }

  test("commands and groups", () => {
    expect(complete("sampan ru")).toEqual(["run"]);
    expect(complete("sampan ")).toEqual(expect.arrayContaining<string>(["run", "network", "ps", "completion"]) as string[]);
    expect(complete("sampan ")).not.toContain("finish");
    expect(complete("sampan network ")).toEqual(expect.arrayContaining<string>(["connect", "create", "ls"]) as string[]);
    expect(complete("sampan network cre")).toEqual(["create"]);
    expect(complete("sampan --ro")).toEqual(["--root"]);
    expect(complete("sampan --root /x ru")).toEqual(["run"]);
  });

  test("flags, and none after the image", () => {
    expect(complete("sampan run --net")).toEqual(expect.arrayContaining<string>(["--network"]) as string[]);
    expect(complete("sampan run --rm --priv")).toEqual(["--privileged"]);
    expect(complete("sampan container run --priv")).toEqual(["--privileged"]);
    expect(complete("sampan run host --priv")).toEqual(["(files)"]);
    expect(complete("sampan logs web --fol")).toEqual(["--follow"]);
  });

  test("values", () => {
    expect(complete("sampan run --restart un")).toEqual(["unless-stopped"]);
    expect(complete("sampan run --restart=un")).toEqual(["unless-stopped"]);
    expect(complete("sampan run --env-file ")).toEqual(["(files)"]);
    expect(complete("sampan run --network br")).toEqual(["bridge"]);
    // A switch takes no value: what follows is a word of its own.
    expect(complete("sampan rm --force w")).toEqual(["web", "worker"]);
    expect(complete("sampan run --memory ")).toEqual([]);
  });

  test("names of what there is", () => {
    expect(complete("sampan rm ")).toEqual(["alive", "web", "worker"]);
    expect(complete("sampan rm we")).toEqual(["web"]);
    expect(complete("sampan rm web wor")).toEqual(["worker"]);
    expect(complete("sampan stop ")).toEqual(["alive"]);
    expect(complete("sampan exec ")).toEqual(["alive"]);
    expect(complete("sampan exec alive ")).toEqual(["(files)"]);
    expect(complete("sampan volume rm ")).toEqual(["data"]);
    expect(complete("sampan network connect br")).toEqual(["bridge"]);
    expect(complete("sampan network connect bridge wo")).toEqual(["worker"]);
    expect(complete("sampan version ")).toEqual([]);
    // Another store has nothing.
    expect(complete(`sampan --root ${directory}/other --state ${directory}/other-state rm `)).toEqual([]);
  });

  test("never runs what is being typed", () => {
    complete(`sampan rm $(touch ${join(directory, "pwned")}) `);
    complete("sampan rm `touch " + join(directory, "pwned") + "` ");
    // Nor what a name looks like.
    expect(complete("sampan rm ", `__sampan_names() { echo '$(touch ${join(directory, "pwned")})'; }`)).toEqual([`$(touch ${join(directory, "pwned")})`]);
    expect(shell(["sh"], `ls ${directory}`)).not.toContain("pwned");
  });
});

describe("zsh", () => {
  /** Each line as it is after Tab, in one zsh on a terminal: the keys after it make the line a print of itself. */
  function complete(lines: readonly string[]): string[] {
    const script = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'PS1="> "; autoload -Uz compinit; compinit -D; source ${join(directory, "zsh")}; print rea""dy'
      zpty -r shell out '*ready*'
      for line in ${lines.map((line) => `'${line}'`).join(" ")}; do
        zpty -n -w shell "$line"$'\t\x01print -r -- "<\x05>"\n'
        zpty -r shell out $'*\n<*>*'
        out=\${out##*$'\n<'}
        print -r -- \${out%%>*}
      done
      zpty -d shell
    `;
    return shell(["zsh", "-f"], script).split("\n").filter((line) => line !== "");
  }

  test("commands, flags, values and names", () => {
    const completed = [
      ["sampan vers", "sampan version"], ["sampan network cre", "sampan network create"], ["sampan run --priv", "sampan run --privileged"], ["sampan run --restart=un", "sampan run --restart=unless-stopped"],
      ["sampan rm we", "sampan rm web"], ["sampan rm web wo", "sampan rm web worker"], ["sampan container inspect wo", "sampan container inspect worker"], ["sampan stop a", "sampan stop alive"],
      ["sampan volume rm da", "sampan volume rm data"], ["sampan network connect br", "sampan network connect bridge"], [`sampan --root ${directory}/other --state ${directory}/other-state rm we`],
    ] as const;
    expect(complete(completed.map(([line]) => line))).toEqual(completed.map(([line, whole = line]) => whole));
  }, 60_000);
});

describe("fish", () => {
  const complete = (line: string): string[] =>
    shell(["fish", "--no-config"], `source ${join(directory, "fish")}; complete --do-complete ${JSON.stringify(line)}`).split("\n").map((row) => row.split("\t")[0] ?? "").filter((word) => word !== "").sort();

  test("commands, flags, values and names", () => {
    expect(complete("sampan ru")).toEqual(["run"]);
    expect(complete("sampan network cre")).toEqual(["create"]);
    expect(complete("sampan run --priv")).toEqual(["--privileged"]);
    expect(complete("sampan run --restart un")).toEqual(["unless-stopped"]);
    expect(complete("sampan rm ")).toEqual(["alive", "web", "worker"]);
    expect(complete("sampan stop ")).toEqual(["alive"]);
  });
});

test("man pages: one a command, every flag in it, and neither groff nor mandoc has anything to complain about", async () => {
  const pages = await manPages();
  expect([...pages.keys()]).toEqual(expect.arrayContaining<string>(["sampan.1", "sampan-run.1", "sampan-network-create.1", "sampan-container-run.1"]) as string[]);
  expect(pages.has("sampan-system-finish.1")).toBe(false);
  for (const [name, text] of pages) {
    const { status, stdout, stderr } = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-Kutf8"], { input: text, encoding: "utf8", env: { ...env, GROFF_NO_SGR: "1" } });
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
    const lint = spawnSync("mandoc", ["-T", "lint", "-W", "all"], { input: text, encoding: "utf8" });
    expect({ name, lint: lint.stdout, status: lint.status }).toEqual({ name, lint: "", status: 0 });
    if (name === "sampan-run.1") {
      const plain = stdout.replace(/.\u0008/g, "");
      for (const flag of ["--privileged", "--security-opt", "-p, --publish"]) expect(plain).toContain(flag);
    }
  }
}, 60_000);
