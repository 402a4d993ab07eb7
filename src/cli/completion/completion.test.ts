import { describe, expect, test } from "bun:test";
import { commandTable } from "../commands/table.ts";
import { bashCompletion, completionModel, fishCompletion, zshCompletion } from "./index.ts";

const model = await completionModel(commandTable());
const find = (path: string) => model.commands.find((command) => command.path === path);

describe("the model", () => {
  test("has every command that is shown, by every name, and no hidden one", () => {
    const paths = commandTable().filter(({ hidden }) => hidden !== true).flatMap((entry) => entry.paths).sort();
    expect(model.commands.map(({ path }) => path)).toEqual(paths);
    expect(find("system finish")).toBeUndefined();
    expect(model.groups).toContain("container");
  });

  test("knows what words name", () => {
    expect(find("rm")?.positionals).toEqual(["container"]);
    expect(find("exec")?.positionals[0]).toBe("running");
    expect(find("run")?.positionals[0]).toBe("image");
    expect(find("rmi")?.positionals).toEqual(["image"]);
    expect(find("tag")?.positionals).toEqual(["image"]);
    expect(find("network connect")?.positionals).toEqual(["network", "container"]);
    expect(find("volume rm")?.positionals).toEqual(["volume"]);
    expect(find("version")?.positionals).toEqual([]);
    expect(find("run")?.interspersed).toBe(false);
  });

  test("knows which flags take a value", () => {
    const flags = new Map(find("run")?.flags.map((flag) => [flag.names[0], flag]));
    expect(flags.get("--rm")?.value).toBeUndefined();
    expect(flags.get("--network")?.value?.kind).toBe("network");
    expect(flags.get("--restart")?.value?.choices).toContain("unless-stopped");
    expect(flags.get("--env-file")?.value?.kind).toBe("file");
  });
});

test("the same tables give the same scripts", async () => {
  const again = await completionModel(commandTable());
  for (const write of [bashCompletion, zshCompletion, fishCompletion]) expect(write(again)).toBe(write(model));
});

test("a help text cannot break out of its quotes", () => {
  const hostile = { commands: [{
    path: "x",
    summary: "it's [a] $(touch /tmp/pwned): `b`",
    flags: [{ names: ["--y"], help: "don't: [x] \\ $(z)", value: undefined }],
    positionals: [],
    interspersed: true,
  }], groups: [] } as const;
  expect(fishCompletion(hostile)).toContain("'it\\'s [a] $(touch /tmp/pwned): `b`'");
  expect(zshCompletion(hostile)).toContain("'*--y[don'\\''t\\: \\[x\\] \\\\ $(z)]'");
  // bash is told names only, no sentences.
  expect(bashCompletion(hostile)).not.toContain("touch");
});
