import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SampanError } from "../../../base/errors.ts";
import { compileTemplate } from "./index.ts";

const data = {
  Name: "/web",
  State: { Running: true, ExitCode: 0, Health: undefined },
  Config: { Env: ["A=1", "B=2"], Labels: { "com.example.x": "y", plain: "z" }, Cmd: null },
  NetworkSettings: {
    Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "443/tcp": null },
    Networks: { front: { IPAddress: "10.0.0.2" }, back: { IPAddress: "10.0.1.2" } },
  },
  Size: 1234.5,
  Label: (name: string) => `<${name}>`,
};
const render = (template: string): string => compileTemplate(template).execute(data);

describe("what people write", () => {
  test.each([
    ["{{.State.Running}}", "true"],
    ["{{ .State.ExitCode }}", "0"],
    ["{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "10.0.1.2 10.0.0.2 "],
    ["{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}->{{with $conf}}{{(index . 0).HostPort}}{{else}}-{{end}};{{end}}", "443/tcp->-;80/tcp->8080;"],
    ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"],
    ['{{index .Config.Labels "com.example.x"}}|{{index .Config.Labels "none"}}|{{.Config.Labels.plain}}|{{.Config.Labels.none}}', "y||z|<no value>"],
    ["{{json .Config}}", '{"Env":["A=1","B=2"],"Labels":{"com.example.x":"y","plain":"z"},"Cmd":null}'],
    ["{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"],
    ["{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"],
    ['{{join .Config.Env ","}} {{len .Config.Env}} {{slice .Name 1}}', "A=1,B=2 2 web"],
    ['{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}', "A=1, B=2"],
    ['{{.Label "q"}}', "<q>"],
    ["{{.Config.Env}} {{.Config.Labels}} {{.Config.Cmd}}", "[A=1 B=2] map[com.example.x:y plain:z] <no value>"],
    ['{{$n := .Name}}{{range .Config.Env}}{{$n}}:{{$.Name}};{{end}}', "/web:/web;/web:/web;"],
    ['{{with .State}}{{if and .Running (eq .ExitCode 0)}}up{{end}}{{end}}', "up"],
    ['{{range split "a b c" " "}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"],
    ["{{.Size}} {{printf \"%.1f\" .Size}}", "1234.5 1234.5"],
    ['a {{- " b " -}} c', "a b c"],
    ["x{{/* no */}}y{{- /* trims */ -}}  z", "xyz"],
    ["{{js `a\"b'<x>&=é\u2028\t\\`}} {{js 1 2}}", `a\\"b\\'\\u003Cx\\u003E\\u0026\\u003Dé\\u2028\\u0009\\\\ 1 2`],
    ['{{html "<a>"}} {{urlquery "a b&(c)*"}}', "&lt;a&gt; a+b%26%28c%29%2A"],
    ['{{"tab\\t\\x41\\u00e9"}}{{`raw\\n`}}', "tab\tAéraw\\n"],
  ])("%s", (template, text) => expect(render(template)).toBe(text));
});

describe("errors say where and what, in Go's words", () => {
  test.each([
    ["{{.Foo}}", `template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"`],
    ["{{.State.Foo}}", `template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"`],
    ["\n\n {{foo .}}", 'template: :3: function "foo" not defined'],
    ["{{.Name", "template: :1: unclosed action"],
    ["{{if .Name}}", "template: :1: unexpected EOF"],
    ["{{end}}", "template: :1: unexpected {{end}}"],
    ["{{$x}}", 'template: :1: undefined variable "$x"'],
    ['{{"open}}', "template: :1: unterminated quoted string"],
    ["{{(len .Name}}", "template: :1: unclosed left paren"],
    ["{{}}", "template: :1: missing value for command"],
    ["{{index .Config.Env 9}}", "error calling index: index out of range: 9"],
    ["{{lt 1 .Name}}", "incompatible types for comparison"],
    ["{{not}}", "wrong number of args for not: want 1 got 0"],
    ['{{.Name "x"}}', "Name has arguments but cannot be invoked as function"],
    ['{{define "x"}}{{end}}', "{{define}} is not supported in a format"],
    ["{{break}}", "{{break}} outside {{range}}"],
  ])("%s", (template, reason) => expect(() => render(template)).toThrow(`${reason}`));

  test("a variable is known inside its block alone", () => {
    expect(render("{{$a := 1}}{{if true}}{{$a := 2}}{{$a}}{{$a = 3}}{{$a}}{{end}}{{$a}}")).toBe("231");
    expect(() => render("{{if true}}{{$b := 2}}{{end}}{{$b}}")).toThrow("undefined variable");
  });
});

describe("properties", () => {
  test("text without actions is itself", () => {
    fc.assert(fc.property(fc.string().filter((text) => !text.includes("{{")), (text) => expect(compileTemplate(text).execute({})).toBe(text)));
  });
  test("a quoted string is the string", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()), (text) => {
      const quoted = `"${text.replaceAll(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))}"`;
      expect(compileTemplate(`{{${quoted}}}`).execute({})).toBe(text);
    }));
  });
  test("json of any value is its JSON", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => expect(compileTemplate("{{json .}}").execute(value)).toBe(JSON.stringify(value))));
  });
  test("any source either works or is refused as a template, never otherwise", () => {
    const word = fc.constantFrom(
      "{{", "}}", "{{-", "-}}", "if", "else", "end", "range", "with", ".", ".Name", ".State", "$", "$x", ":=", "=", "|", "(", ")", ",",
      '"a"', "`b`", "1", "len", "index", "printf", "and", "eq", " ", "\n", "true", "nil", "break", "'c'", "/*", "*/",
    );
    fc.assert(fc.property(fc.array(word, { maxLength: 25 }), (words) => {
      try {
        compileTemplate(words.join("")).execute(data);
      } catch (error) {
        if (!(error instanceof SampanError) || error.kind !== "invalid") throw error;
        expect(error.message).toStartWith("template parsing error: template: :");
      }
    }), { numRuns: 3000 });
  });
});
