import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bool, int, list, many, one, parseBool, parseInteger, string } from "./flag.ts";
import { parseFlags } from "./parse.ts";
import { parseBytes } from "../parse/bytes.ts";

const table = {
  detach: bool("", { short: "d" }),
  interactive: bool("", { short: "i" }),
  tty: bool("", { short: "t" }),
  "sig-proxy": bool("", { initial: true }),
  name: string("", { singleDash: ["name"] }),
  network: list("", { aliases: ["net"], singleDash: ["net"] }),
  publish: list("", { short: "p" }),
  memory: one("bytes", parseBytes, "", { short: "m" }),
  cpus: string("", { singleDash: ["cpus"] }),
  "cpu-shares": int("", { short: "c", singleDash: ["cpushare"] }),
  size: many("bytes", parseBytes, ""),
};
const parse = (line: string, interspersed = false) => parseFlags(table, line.split(" ").filter((word) => word !== ""), interspersed);

describe("parseFlags", () => {
  test("long flags take a value behind = or as the next word", () => {
    expect(parse("--name=web --net a --network=b x").values).toMatchObject({ name: "web", network: ["a", "b"] });
    expect(parse("--name= x").values.name).toBe("");
  });

  test("letters cluster, and the rest of a cluster is a value", () => {
    expect(parse("-dit x").values).toMatchObject({ detach: true, interactive: true, tty: true });
    expect(parse("-ti x").values).toMatchObject({ detach: false, interactive: true, tty: true });
    expect(parse("-p= x").values.publish).toEqual(["="]);
    expect(parse("-p8080:80 -p=81:81 -itp 82:82 x").values).toMatchObject({ publish: ["8080:80", "81:81", "82:82"], tty: true });
  });

  test("switches take a value behind = alone", () => {
    expect(parse("--detach=false --sig-proxy=0 -t=true x")).toMatchObject({ values: { detach: false, "sig-proxy": false, tty: true }, positionals: ["x"] });
    expect(parse("--detach false").positionals).toEqual(["false"]);
  });

  test("the teaching engines' single dashes", () => {
    expect(parse("-name web -net=host -cpus=0.5 -cpushare 512 -m=64m x").values).toMatchObject({
      name: "web",
      network: ["host"],
      cpus: "0.5",
      "cpu-shares": 512,
      memory: 64 << 20,
    });
  });

  test("parsing stops at the first positional unless interspersed, and at --", () => {
    expect(parse("-d image -it --name x").positionals).toEqual(["image", "-it", "--name", "x"]);
    expect(parse("a -d b", true)).toMatchObject({ positionals: ["a", "b"], values: { detach: true } });
    expect(parse("-- -d b", true)).toMatchObject({ positionals: ["-d", "b"], values: { detach: false } });
    expect(parse("-", true).positionals).toEqual(["-"]);
  });

  test("every problem is told, in pflag's words", () => {
    expect(parse("--foo -Z --memory 5x -c=abc --detach=maybe --name", true).problems).toEqual([
      "unknown flag: --foo",
      "unknown shorthand flag: 'Z' in -Z",
      `invalid argument "5x" for "-m, --memory" flag: invalid size: '5x'`,
      `invalid argument "abc" for "-c, --cpu-shares" flag: strconv.ParseInt: parsing "abc": invalid syntax`,
      `invalid argument "maybe" for "-d, --detach" flag: strconv.ParseBool: parsing "maybe": invalid syntax`,
      "flag needs an argument: --name",
    ]);
    expect(parse("-p").problems).toEqual(["flag needs an argument: 'p' in -p"]);
    expect(parse("-itx1 a").problems).toEqual(["unknown shorthand flag: 'x' in -x1"]);
    expect(parse("---x").problems).toEqual(["bad flag syntax: ---x"]);
  });

  test("help is found wherever flags are read, and nowhere else", () => {
    expect(parse("-d --help").help).toBe(true);
    expect(parse("-h").help).toBe(true);
    expect(parse("image --help").help).toBe(false);
  });

  test("what was given is known, even at its default", () => {
    expect([...parse("--detach=false -m 1 x").given].sort()).toEqual(["detach", "memory"]);
  });

  test("no word is lost: behind -- all of them are positionals", () => {
    fc.assert(fc.property(fc.array(fc.string()), (words) => {
      expect(parseFlags(table, ["--", ...words], true).positionals).toEqual(words);
    }));
  });

  test("any line is parsed without throwing, and the container's command is never touched", () => {
    fc.assert(fc.property(fc.array(fc.string()), (words) => {
      expect(parseFlags(table, ["-d", "image", ...words], false).positionals).toEqual(["image", ...words]);
      parseFlags(table, words, true);
    }));
  });
});

describe("values", () => {
  test.each([["0x10", 16], ["010", 8], ["0b11", 3], ["0o17", 15], ["-5", -5], ["+7", 7], ["0", 0], ["-0", 0]] as const)("parseInteger %s", (text, value) => {
    expect(parseInteger(text)).toBe(value);
  });
  test.each(["", "abc", "1.5", "08", "1e3", " 1", "0x"])("parseInteger refuses %p", (text) => {
    expect(() => parseInteger(text)).toThrow("invalid syntax");
  });
  test("parseInteger refuses what a number cannot hold", () => {
    expect(() => parseInteger("9223372036854775807")).toThrow("value out of range");
    expect(() => parseInteger("-2", -1)).toThrow("value out of range");
  });
  test("parseBool knows Go's words only", () => {
    for (const word of ["1", "t", "TRUE", "True"]) expect(parseBool(word)).toBe(true);
    expect(() => parseBool("yes")).toThrow("strconv.ParseBool");
  });
});
