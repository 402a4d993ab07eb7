/**
 * Documents whose commands are run. A fenced block marked `console` is a session: a line that starts with "$ " is a
 * command (continued on the next while it ends with a backslash, or while the next starts with "> "), the lines below it are what it prints, both streams
 * together. In expected output "…" stands for any text within a line; a line that is "…" alone, for any
 * lines or none. Width of blanks and the numbers of a plan's calls (#12) do not count. `[N]` alone on the last line says that the command's exit code is N; without it the code is 0.
 *
 * HTML comments tell the runner more: `<!-- setup: registry busybox -->` for the document, see docs-session.ts;
 * `<!-- terminal -->` before a block that is run on a terminal, where lines that start with "# " are typed into a shell
 * in the container; `<!-- not run: REASON -->` before a block marked `sh`, which shows commands that no test can run.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Step {
  readonly command: string;
  readonly expected: readonly string[];
  readonly exitCode: number;
  /** Of the line with the command, counted from 1. */
  readonly line: number;
  readonly terminal: boolean;
  /** What is typed on the terminal, each with what it prints. */
  readonly typed: readonly { readonly text: string; readonly expected: readonly string[] }[];
}

export interface DocumentScript {
  /** Relative to the repository. */
  readonly path: string;
  readonly setup: readonly string[];
  readonly steps: readonly Step[];
  /** What is wrong with the document itself. */
  readonly problems: readonly string[];
}

interface OpenStep {
  command: string;
  expected: string[];
  line: number;
  typed: { text: string; expected: string[] }[];
}

function closeStep(open: OpenStep, terminal: boolean): Step {
  const code = /^\[(\d+)\]$/.exec(open.expected.at(-1) ?? "")?.[1];
  const expected = code === undefined ? open.expected : open.expected.slice(0, -1);
  return { ...open, expected, exitCode: Number(code ?? 0), terminal };
}

function parseBlock(lines: readonly string[], firstLine: number, terminal: boolean): { steps: Step[]; problems: string[] } {
  const steps: Step[] = [];
  const problems: string[] = [];
  let open: OpenStep | undefined;
  let continues = false;
  for (const [index, line] of lines.entries()) {
    if (open !== undefined && (continues || (line.startsWith("> ") && open.expected.length === 0))) {
      open.command += `\n${line.replace(/^> /, "")}`;
    } else if (line.startsWith("$ ")) {
      if (open !== undefined) steps.push(closeStep(open, terminal));
      open = { command: line.slice(2), expected: [], line: firstLine + index, typed: [] };
    } else if (open === undefined) {
      problems.push(`line ${firstLine + index}: output without a command`);
    } else if (terminal && line.startsWith("# ")) {
      open.typed.push({ text: line.slice(2), expected: [] });
    } else {
      (open.typed.at(-1)?.expected ?? open.expected).push(line);
    }
    continues = (continues || line.startsWith("$ ")) && line.endsWith("\\");
  }
  if (open !== undefined) steps.push(closeStep(open, terminal));
  return { steps, problems };
}

export function parseDocument(path: string, text: string): DocumentScript {
  const lines = text.split("\n");
  const setup = /^<!-- setup: ([a-z ]+) -->$/m.exec(text)?.[1]?.split(" ") ?? [];
  const steps: Step[] = [];
  const problems: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const language = /^```(.*)$/.exec(lines[at] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", at + 1);
    if (end === -1) {
      problems.push(`line ${at + 1}: a block that does not end`);
      break;
    }
    const before = (lines[at - 1] ?? "").trim() === "" ? (lines[at - 2] ?? "") : (lines[at - 1] ?? "");
    if (language === "console") {
      const block = parseBlock(lines.slice(at + 1, end), at + 2, before === "<!-- terminal -->");
      steps.push(...block.steps);
      problems.push(...block.problems);
    }
    if (/^(sh|bash|shell)$/.test(language) && !/^<!-- not run: .+ -->$/.test(before)) {
      problems.push(`line ${at + 1}: commands that nobody runs: mark the block "console", or say why before it: <!-- not run: … -->`);
    }
    at = end;
  }
  return { path, setup, steps, problems };
}

/** README.md and every page under docs/, in the order in which they are read. */
export function findDocuments(repository: string): string[] {
  const pages = readdirSync(join(repository, "docs"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md")).sort();
  return ["README.md", ...pages.map((name) => `docs/${name}`)].filter((path) => existsSync(join(repository, path)));
}

export function readDocument(repository: string, path: string): DocumentScript {
  return parseDocument(path, readFileSync(join(repository, path), "utf8"));
}

/** Calls of a plan are numbered from the first, and how many there are depends on the kernel; so does what is aligned to them. */
function comparable(line: string): string {
  return line.replace(/#\d+/g, "#N").replace(/ +/g, " ").trim();
}

function linePattern(line: string): RegExp {
  const literal = comparable(line).split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`);
}

/** Whether output is what a document says it is; empty lines at the end do not count. */
export function matchesExpected(expected: readonly string[], output: string): boolean {
  const actual = output.split("\n").map(comparable);
  while (actual.at(-1) === "") actual.pop();
  const wanted = [...expected];
  while (wanted.at(-1)?.trim() === "") wanted.pop();
  // reachable[i]: the lines of `wanted` looked at so far can be the first i lines of `actual`.
  let reachable = new Set([0]);
  for (const line of wanted) {
    const next = new Set<number>();
    const pattern = linePattern(line);
    for (const from of reachable) {
      if (line.trim() === "…") for (let to = from; to <= actual.length; to += 1) next.add(to);
      else if (from < actual.length && pattern.test(actual[from] ?? "")) next.add(from + 1);
    }
    reachable = next;
  }
  return reachable.has(actual.length);
}
