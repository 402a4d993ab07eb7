/**
 * The library: `import { Engine } from "sampan"`, on Bun and on Node ≥ 24. A thin room over the engine that adds what a program
 * wants and a command line does not: results with output, output as it comes, lifecycle as types, `await using`.
 *
 * Vocabulary: a container is *created*, *running* or *stopped*, and has only the methods that make sense then; a *task* is
 * something long with progress, awaited or read; a *program stream* is a program that runs, and its output.
 *
 * Invariants: whatever is exported here is the promise; test/library/exports.test.ts pins it. Everything that waits takes an
 * AbortSignal. A failure is a SampanError with `kind`, `code` and `hint`. No signal handler of the program is touched.
 */
export { Engine } from "./engine.ts";
export type { EventOptions } from "./engine.ts";
export { Containers } from "./containers.ts";
export { CreatedContainer, RunningContainer, StoppedContainer } from "./container.ts";
export type { Container, CopyOptions, LogOptions } from "./container.ts";
export { Images } from "./images.ts";
export type { ArchiveSource, TransferOptions } from "./images.ts";
export { Networks, Registries, Volumes } from "./resources.ts";
export { ProgramStream } from "./streams.ts";
export type { Input } from "./streams.ts";
export { Task } from "./task.ts";
export type { Cancellable } from "./cancel.ts";
export type { ExecOptions, ExecResultOptions } from "./exec.ts";
export type { BulkOptions, RunOptions, StreamOptions } from "./run.ts";
export type { ContainerOptions, EngineOptions, MountOptions, PortOptions } from "./options.ts";
export type { ContainerEnd, ExitResult, OutputChunk, ProgramResult, RunResult, StreamResult } from "./result.ts";
export { ProblemsError, SampanError } from "../base/errors.ts";
export type { ErrorKind } from "../base/errors.ts";
/** What the command line uses, for `engine.api`. */
export type { Engine as EngineApi } from "../engine/index.ts";
export type {
  BootResult, ContainerChange, ContainerDetails, ContainerStats, ContainerSummary, DiskUsage, EngineEvent, ExplainResult, Filters,
  HistoryEntry, HostCheck, ImageDetails, ImageRemoval, ImageSummary,
  LoadedImage, LogRecord, NetworkDetails, NetworkRequest, ProcessTable, Progress, PruneResult, PulledImage, PushedImage, SearchResult,
  SystemInfo, TraceResult, UpdateRequest, VolumeDetails,
} from "../engine/index.ts";
export type {
  DeviceLimit, DeviceRequest, HealthRequest, MountRequest, NetworkAttachment, PortRequest, ResourceRequest, RestartPolicy, RunRequest, UlimitRequest,
} from "../engine/index.ts";
