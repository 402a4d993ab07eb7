// parallel-safe
/** What `import … from "sampan"` gives: a name more or less is a decision, and this file is where it is taken. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "../../src/engine/index.ts";
import * as library from "../../src/library/index.ts";
import { declarations } from "../../scripts/build-library.ts";

const VALUES = ["Containers", "CreatedContainer", "Engine", "Images", "Networks", "ProblemsError", "ProgramStream", "Registries", "RunningContainer", "SampanError", "StoppedContainer", "Task", "Volumes"];
const TYPES = [
  "ArchiveSource", "BootResult", "BulkOptions", "Cancellable", "Container", "ContainerChange", "ContainerDetails", "ContainerEnd", "ContainerOptions", "ContainerStats", "ContainerSummary", "CopyOptions",
  "DeviceLimit", "DeviceRequest", "DiskUsage", "EngineApi", "EngineEvent", "EngineOptions", "ErrorKind", "EventOptions", "ExecOptions", "ExecResultOptions", "ExitResult", "ExplainResult", "Filters", "HealthRequest",
  "HistoryEntry", "HostCheck", "ImageDetails", "ImageRemoval", "ImageSummary", "Input", "LoadedImage", "LogOptions", "LogRecord", "MountOptions", "MountRequest",
  "NetworkAttachment", "NetworkDetails", "NetworkRequest", "OutputChunk", "PortOptions", "PortRequest", "ProcessTable", "ProgramResult", "Progress", "PruneResult", "PulledImage",
  "PushedImage", "ResourceRequest", "RestartPolicy", "RunOptions", "RunRequest", "RunResult", "SearchResult", "StreamOptions", "StreamResult", "SystemInfo", "TraceResult", "TransferOptions", "UlimitRequest",
  "UpdateRequest", "VolumeDetails",
];

const door = declarations("src/library/index.ts").get("src/library/index.ts") ?? "";
const named = (pattern: RegExp): string[] => [...door.matchAll(pattern)].flatMap((match) => (match[1] ?? "").split(",")).map((name) => (name.trim().split(" as ").at(-1) ?? "").trim()).filter((name) => name !== "").sort();

test("values", () => {
  expect(Object.keys(library).sort()).toEqual(VALUES);
  expect(named(/export \{([^}]*)\}/g)).toEqual(VALUES);
});

test("types", () => {
  expect(named(/export type \{([^}]*)\}/g)).toEqual(TYPES);
  expect(door).not.toContain("export *");
});

describe("one engine for both", () => {
  /** What only the engine itself calls, when a container has ended; and what attaches a terminal at once where a program makes two calls. */
  const INTERNAL = ["system.finish", "system.noteHealth", "containers.startAttached"];

  test("the library has a method for every use case", async () => {
    const engine = await openEngine({ root: "/nowhere/root", state: "/nowhere/state" });
    const cases = Object.entries(engine).filter(([, room]) => typeof room === "object").flatMap(([room, api]) => Object.keys(api as object).map((name) => `${room}.${name}`)); // a room of the engine
    const text = sources("src/library");
    expect(cases.filter((name) => !text.includes(`.${name}(`) && !INTERNAL.includes(name))).toEqual([]);
  });

  test("the command line uses the engine, and nothing else that does anything", () => {
    const imported = new Set([...sources("src/cli").matchAll(/^(import (?:type )?)[^;]*? from "(?:\.\.\/)+((?:engine|library|images|registry|storage|runtime|network|plan|linux)\/[^"]+)"|import\("(?:\.\.\/)+(engine\/[^"]+)"\)/gm)].map((match) => `${match[1]?.includes("type") === true ? "type " : ""}${match[2] ?? match[3] ?? ""}`));
    expect([...imported].filter((name) => !name.startsWith("type engine/")).sort()).toEqual(["engine/index.ts", "engine/request-rules.ts", "engine/request.ts", "linux/capabilities.ts"]);
  });
});

function sources(folder: string): string {
  const root = join(import.meta.dirname, "../..");
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  return files.map((name) => readFileSync(join(root, folder, name), "utf8")).join("\n");
}
