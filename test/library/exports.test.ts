// parallel-safe
/** What `import … from "sampan"` gives: a name more or less is a decision, and this file is where it is taken. */
import { expect, test } from "bun:test";
import * as library from "../../src/library/index.ts";
import { declarations } from "../../scripts/build-library.ts";

const VALUES = ["Containers", "CreatedContainer", "Engine", "Images", "Networks", "ProblemsError", "ProgramStream", "RunningContainer", "SampanError", "StoppedContainer", "Task", "Volumes"];
const TYPES = [
  "ArchiveSource", "BulkOptions", "Cancellable", "Container", "ContainerChange", "ContainerDetails", "ContainerEnd", "ContainerOptions", "ContainerStats", "ContainerSummary",
  "DeviceRequest", "EngineApi", "EngineEvent", "EngineOptions", "ErrorKind", "EventOptions", "ExecOptions", "ExecResultOptions", "ExitResult", "Filters", "HealthRequest",
  "HistoryEntry", "HostCheck", "ImageDetails", "ImageRemoval", "ImageSummary", "Input", "LoadedImage", "LogOptions", "LogRecord", "MountOptions", "MountRequest",
  "NetworkAttachment", "NetworkDetails", "NetworkRequest", "OutputChunk", "PortOptions", "PortRequest", "ProcessTable", "ProgramResult", "Progress", "PruneResult", "PulledImage",
  "PushedImage", "ResourceRequest", "RestartPolicy", "RunOptions", "RunRequest", "RunResult", "StreamOptions", "StreamResult", "SystemInfo", "TransferOptions", "UlimitRequest",
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
