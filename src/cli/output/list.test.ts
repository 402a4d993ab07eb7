import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SampanError } from "../../base/errors.ts";
import { formatError, exitCodeOf } from "./errors.ts";
import { createInspector } from "./inspect.ts";
import { toJson } from "./json.ts";
import { type ListView, formatList } from "./list.ts";
import { createProgressPrinter } from "./progress.ts";
import { editDistance, suggestions } from "./suggest.ts";
import { alignTabs, ellipsis } from "./tabs.ts";

/** bun's matchers are of type any. */
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

interface Fruit {
  readonly name: string;
  readonly color: string;
}
const view: ListView<Fruit> = {
  titles: { Name: "NAME", Color: "COLOR" },
  table: "{{.Name}}\t{{.Color}}",
  quiet: "Name",
  methods: new Set(["Label"]),
  fields: ({ name, color }) => ({ Name: () => name, Color: () => color, Label: (key: string) => `${key}!` }),
};
const fruit = [{ name: "fig", color: "purple" }, { name: "pomegranate", color: "red" }];

describe("formatList", () => {
  test("the default table has columns at least ten wide, three apart", () => {
    expect(formatList(view, fruit, {})).toBe("NAME          COLOR\nfig           purple\npomegranate   red\n");
    expect(formatList(view, [], {})).toBe("NAME      COLOR\n");
  });
  test("json is one object a line, fields by name, methods left out", () => {
    expect(formatList(view, fruit, { format: "json" })).toBe('{"Color":"purple","Name":"fig"}\n{"Color":"red","Name":"pomegranate"}\n');
    expect(formatList(view, fruit.slice(0, 1), { format: "{{json .}}" })).toBe('{"Color":"purple","Name":"fig"}\n');
  });
  test("templates, with and without a table", () => {
    expect(formatList(view, fruit, { format: "{{.Name}}:{{.Color}}" })).toBe("fig:purple\npomegranate:red\n");
    expect(formatList(view, fruit.slice(0, 1), { format: String.raw`table {{.Color}}\t{{upper .Name}}` })).toBe("COLOR     NAME\npurple    FIG\n");
    expect(formatList(view, fruit.slice(0, 1), { format: 'table {{.Label "com.example.big-size"}}' })).toBe("big size\ncom.example.big-size!\n");
  });
  test("quiet prints one field; a format of one's own wins", () => {
    expect(formatList(view, fruit, { quiet: true })).toBe("fig\npomegranate\n");
    expect(formatList(view, fruit, { quiet: true, format: "{{.Color}}" })).toBe("purple\nred\n");
  });
  test("an unknown field is an error with exit code 1", () => {
    try {
      formatList(view, fruit, { format: "{{.Nmae}}" });
      throw new Error("no error");
    } catch (error) {
      expect(error).toBeInstanceOf(SampanError);
      expect(exitCodeOf(error)).toBe(1);
      expect(String(error)).toContain('executing "" at <.Nmae>');
    }
  });
});

describe("alignTabs", () => {
  test("a column ends where a line does not have it", () => {
    expect(alignTabs("a\tb\tc\nlonger-than-ten\tx\ty\nnone\na\tb\n")).toBe("a                 b         c\nlonger-than-ten   x         y\nnone\na         b\n");
  });
  test("cells keep their text and line up, whatever is in them", () => {
    const cell = fc.string({ unit: fc.constantFrom("a", "é", "日", " ", "-") });
    fc.assert(fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), (rows) => {
      const lines = alignTabs(rows.map((row) => row.join("\t")).join("\n")).split("\n");
      const width = Math.max(10, ...rows.map(([first]) => Array.from(first).length + 3));
      for (const [index, line] of lines.entries()) {
        const characters = Array.from(line);
        expect(characters.slice(0, width).join("").trimEnd()).toBe((rows[index]?.[0] ?? "").trimEnd());
        expect(line.endsWith(rows[index]?.[2] ?? "")).toBe(true);
      }
    }));
  });
  test("ellipsis", () => {
    expect(ellipsis("0123456789", 10)).toBe("0123456789");
    expect(ellipsis("0123456789a", 10)).toBe("012345678…");
    expect(ellipsis("日本語日本語", 5)).toBe("日本…");
  });
});

describe("json", () => {
  test("agrees with JSON.stringify on JSON, in one line and indented", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      expect(toJson(value)).toBe(JSON.stringify(value));
      expect(JSON.parse(toJson(value, "    "))).toEqual(JSON.parse(JSON.stringify(value)));
    }));
    expect(toJson({ a: [1, { b: 2 }], c: {}, d: [] }, "    ")).toBe(JSON.stringify({ a: [1, { b: 2 }], c: {}, d: [] }, null, 4));
  });
  test("64-bit integers stay whole, undefined fields go", () => {
    expect(toJson({ at: 1_700_000_000_000_000_007n, none: undefined })).toBe('{"at":1700000000000000007}');
  });
});

describe("inspect", () => {
  const value = { Id: "abc", State: { Running: true, Health: undefined }, Binds: null, Labels: { "com.example.x": "y" }, StopSignal: undefined };
  const more = { ...value, Mounts: [{ Name: undefined, Driver: undefined }, { Name: "v", Driver: "local" }], None: {}, Options: null };
  const show = (format: string | undefined, ...values: unknown[]): string => {
    const inspector = createInspector(format);
    for (const one of values) inspector.add(one);
    return inspector.text();
  };
  test("an indented array, a compact one or a template", () => {
    expect(show(undefined, {
      Id: "abc",
      State: { Running: true, Health: undefined },
    })).toBe('[\n    {\n        "Id": "abc",\n        "State": {\n            "Running": true\n        }\n    }\n]\n');
    expect(show("json", value, { Id: "d" })).toBe('[{"Id":"abc","State":{"Running":true},"Binds":null,"Labels":{"com.example.x":"y"}},{"Id":"d"}]\n');
    expect(show("{{.Id}} {{.ID}} {{.State.Running}} {{if .State.Health}}h{{else}}-{{end}}", value)).toBe("abc abc true -\n");
    expect(show(undefined)).toBe("[]\n");
    expect(show("{{.Id}}")).toBe("\n");
  });
  test.each([
    ["{{.State.Health}}", "<nil>"], ["{{range .Mounts}}[{{.Name}}{{.Driver}}]{{end}}", "[][vlocal]"],
    ['[{{index .None "x"}}{{index .Options "x"}}]', "[]"], ["{{.Binds}}", "[]"], ["{{len .Binds}}", "0"], ["[{{.StopSignal}}]", "[]"],
    ['{{eq .StopSignal ""}}', "true"], ["{{json .Binds}}", "null"],
    ["{{range .Binds}}{{.}}{{else}}none{{end}}", "none"], ["{{json .State}}", '{"Running":true}'], ['{{.Id}}{{"\\n"}}', "abc\n"], ["{{.Id}}\\t", "abc\\t"],
  ])("%s is as Docker prints it", (format, text) => expect(show(format, more)).toBe(`${text}\n`));
  test("a value that does not fit stops nobody else", () => {
    const inspector = createInspector("{{.Id}} {{.State.Health.Status}}");
    inspector.add({ Id: "a", State: { Health: { Status: "healthy" } } });
    expect(() => { inspector.add(value); }).toThrow('template: :1:16: executing "" at <.State.Health.Status>: map has no entry for key "Health"');
    expect(inspector.text()).toBe("a healthy\n");
  });
  test("a bad template is told before anything is looked up", () => expect(() => createInspector("{{")).toThrow("unclosed action"));
});

describe("progress", () => {
  test("elsewhere than on a terminal each status is one line, once", () => {
    let text = "";
    const printer = createProgressPrinter({ isTerminal: false, columns: 0, rows: 0, write: (part) => (text += part) });
    for (let bytes = 0; bytes < 100; bytes += 10) printer.update({ id: "abc", status: "Downloading", currentBytes: bytes, totalBytes: 100 });
    printer.update({ id: "abc", status: "Pull complete" });
    printer.update({ status: "Digest: sha256:1" });
    printer.finish();
    expect(text).toBe("abc: Pull complete\nDigest: sha256:1\n");
  });
  test("on a terminal each layer keeps its line, with a bar, never wider than the screen", () => {
    let text = "";
    let now = 0;
    const printer = createProgressPrinter({ isTerminal: true, columns: 60, rows: 24, write: (part) => (text += part) }, () => now);
    printer.update({ id: "a", status: "Waiting" });
    printer.update({ id: "b", status: "Waiting" });
    now = 1000;
    printer.update({ id: "a", status: "Downloading", currentBytes: 500_000, totalBytes: 1_000_000 });
    printer.finish();
    expect(text).toStartWith("a: Waiting\nb: Waiting\n\u001b[2A");
    expect(text).toContain("500kB/1MB");
    for (const line of text.split(/[\r\n]/)) expect(line.replaceAll(/\u001b\[[0-9]*[A-Z]/g, "").length).toBeLessThanOrEqual(60);
    // Draw the screen: two lines, the first changed in place.
    expect(screen(text)).toEqual([matching(/^a: Downloading \[=+> +\] {2}500kB\/1MB$/), "b: Waiting"]);
    // What was there before this download began is not counted in its rate.
    now = 3000;
    printer.update({ id: "a", status: "Downloading", currentBytes: 900_000, totalBytes: 1_000_000 });
    printer.finish();
    expect(screen(text)).toEqual([matching(/^a: Downloading \[=+> +\] {2}900kB\/1MB {2}200kB\/s$/), "b: Waiting"]);
  });
});

/** What a terminal shows of a text with cursor moves. */
function screen(text: string): string[] {
  const lines: string[] = [""];
  let row = 0;
  for (const [part] of text.matchAll(/\u001b\[[0-9]*[A-Z]|\n|\r|[^\u001b\n\r]+/g)) {
    const move = /^\u001b\[([0-9]*)([A-Z])$/.exec(part);
    if (move?.[2] === "A") row -= Number(move[1]);
    else if (move?.[2] === "B") row += Number(move[1]);
    else if (move?.[2] === "K") lines[row] = "";
    else if (part === "\n") lines[(row += 1)] ??= "";
    else if (part !== "\r") lines[row] = part;
  }
  return lines.filter((line) => line !== "");
}

describe("errors and suggestions", () => {
  test("each problem on its own line, the hint once", () => {
    expect(
      formatError(new SampanError("not-found", "No such container: web", { hint: "See them with 'sampan ps -a'." })),
    ).toBe("sampan: No such container: web\nSee them with 'sampan ps -a'.\n");
    expect(formatError(new Error("outer", { cause: new Error("inner") }), { debug: true })).toContain("caused by: Error: inner");
  });
  test("exit codes: the error's own, else the command's, else 1", () => {
    expect(exitCodeOf(new SampanError("not-found", "x"))).toBe(1);
    expect(exitCodeOf(new SampanError("not-found", "x"), 125)).toBe(125);
    expect(exitCodeOf(new SampanError("not-found", "x", { exitCode: 127 }), 125)).toBe(127);
    expect(exitCodeOf(new SampanError("cancelled", "x"), 125)).toBe(130);
    expect(exitCodeOf(new TypeError("x"))).toBe(1);
  });
  test("misspelt commands", () => {
    expect(suggestions("psx", ["ps", "pull", "push"])[0]).toBe("ps");
    expect(suggestions("isnpect", ["inspect", "info"])).toEqual(["inspect"]);
    expect(suggestions("xyzzy", ["ps", "run"])).toEqual([]);
    expect(editDistance("ab", "ba")).toBe(1);
  });
});
