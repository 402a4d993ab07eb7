import type { Plan } from "./build.ts";
import type { ExplainedCall, ExplainedStage } from "./explain.ts";
import { explainPlan } from "./explain.ts";
import type { Side } from "./model.ts";

export interface TextOptions {
  /** Width of the terminal. */
  readonly columns: number;
  readonly colors?: boolean;
}

/** SGR codes of ECMA-48 that every terminal knows. */
export function paint(colors: boolean, code: number, text: string): string {
  return colors && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export const BOLD = 1;
export const DIM = 2;
export const CYAN = 36;
export const YELLOW = 33;

export const SIDES: Record<Side, string> = { outer: "outside", inner: "inside" };

/** A container's id is as wide as most terminals and says nothing: one that is the only one in the text has a sign for itself. */
export function shortenId(texts: Iterable<string>): { readonly shorten: (text: string) => string; readonly id: string | undefined } {
  const ids = new Set<string>();
  for (const text of texts) for (const [id] of text.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)) ids.add(id);
  const [id] = ids.size === 1 ? ids : [];
  return { id, shorten: (text) => (id === undefined ? text : text.replaceAll(id, "<id>")) };
}

/** Lines of at most `width` characters: broken at spaces, and within a word only where it is longer than a line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (joined.length <= width) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (line.length > width) {
      // Between two flags or two names of a path, if there is such a place near the end.
      const between = Math.max(line.lastIndexOf("|", width - 1), line.lastIndexOf("/", width - 1)) + 1;
      const cut = between > width / 2 ? between : width;
      lines.push(line.slice(0, cut));
      line = line.slice(cut);
    }
  }
  lines.push(line);
  return lines;
}

function reasons(call: ExplainedCall): string {
  const may = call.tolerates.length === 0 ? [] : [`may fail with ${call.tolerates.join(", ")}`];
  const must = call.expects === undefined ? [] : [`must give ${call.expects}`];
  return [
    call.why,
    ...(call.condition === undefined ? [] : [call.condition]),
    ...may,
    ...must,
    ...(call.waits ? ["waits"] : []),
  ].filter((part) => part !== "").join(" · ");
}

function callLines(call: ExplainedCall, { columns, colors = false }: TextOptions): string[] {
  const indent = 8 + Math.min(call.depth, 4) * 2;
  const number = `#${call.number}`.padStart(6);
  const width = Math.max(20, columns - indent - 4);
  const page = `  ${call.manual}`;
  const body = wrap(call.text, Math.max(20, width - 2));
  const lines = body.map((line, i) => {
    const start = i === 0 ? number.padEnd(indent) : " ".repeat(indent + 2);
    const used = start.length + line.length;
    const last = i === body.length - 1;
    const shown = i === 0 ? paint(colors, CYAN, /^[a-z0-9_]+/.exec(line)?.[0] ?? "") + line.slice(/^[a-z0-9_]+/.exec(line)?.[0].length ?? 0) : line;
    const fits = used + page.length <= columns;
    const tail = last && fits ? " ".repeat(columns - used - page.length) + paint(colors, DIM, page) : "";
    return (i === 0 ? paint(colors, DIM, start) : start) + shown + tail;
  });
  const lastUsed = (body.length === 1 ? indent : indent + 2) + (body.at(-1)?.length ?? 0);
  if (lastUsed + page.length > columns) lines.push(" ".repeat(Math.max(0, columns - page.length)) + paint(colors, DIM, page));
  const why = reasons(call);
  if (why !== "") lines.push(...wrap(why, width).map((line) => " ".repeat(indent + 4) + paint(colors, DIM, line)));
  return lines;
}

/** The stages of a plan with a sign for the container's id, where there is only one. */
export function readableStages(plan: Plan): { readonly stages: readonly ExplainedStage[]; readonly id: string | undefined } {
  const explained = explainPlan(plan);
  const { id, shorten } = shortenId(explained.flatMap(({ calls }) => calls.map(({ text }) => text)));
  return {
    id,
    stages: explained.map((stage) => ({ ...stage, calls: stage.calls.map((call) => ({ ...call, text: shorten(call.text), why: shorten(call.why) })) })),
  };
}

/** One stage without its heading. */
export function stageLines({ calls }: ExplainedStage, options: TextOptions): string[] {
  return calls.flatMap((call) => callLines(call, options));
}

/**
 * The whole plan for people, in lines of at most `columns` characters (a name longer than that is broken): two lines
 * per call, with its number, arguments and man page, and beneath it why it is there.
 */
export function explainText(plan: Plan, options: TextOptions): string {
  const { colors = false, columns } = options;
  const { stages, id } = readableStages(plan);
  const count = plan.outer.calls.length + plan.inner.calls.length;
  const lines = wrap(`${count} calls: ${plan.outer.calls.length} outside, on the host, and ${plan.inner.calls.length} inside, in the process that becomes the container's. `
    + "After the clone both sides run at the same time and meet at pipes. #N is what call N returned; keel marks the executor's own operations (native/keel/README.md)."
    + (id === undefined ? "" : ` <id> is ${id}.`), columns);
  for (const stage of stages)
    lines.push("", paint(colors, BOLD, `${SIDES[stage.side]}: ${stage.stage === "" ? "start" : stage.stage}`), ...stageLines(stage, options));
  return `${lines.join("\n")}\n`;
}
