/**
 * The library: `import { Engine } from "sampan"`, on Bun and on Node ≥ 24. A thin room over the engine that adds what a program
 * wants and a command line does not: results with output, lifecycle as types, `await using`.
 *
 * Vocabulary: a container is *created*, *running* or *stopped*, and has only the methods that make sense then.
 *
 * Invariants: whatever is exported here is the promise; test/library/exports.test.ts pins it. Everything that waits takes an
 * AbortSignal. A failure is a SampanError with `kind`, `code` and `hint`.
 */
export { Engine } from "./engine.ts";
export { Containers, CreatedContainer, RunningContainer, StoppedContainer } from "./containers.ts";
export type { ExecOptions, LogOptions, RunOptions } from "./containers.ts";
export type { ContainerOptions, EngineOptions } from "./options.ts";
export type { ProgramResult, RunResult } from "./result.ts";
export { ProblemsError, SampanError } from "../base/errors.ts";
export type { ErrorKind } from "../base/errors.ts";
export type * from "../engine/request.ts";
export type {
  ContainerDetails, ContainerStats, ContainerSummary, EngineEvent, HostCheck, ImageDetails, Images, ImageSummary, LogRecord, NetworkDetails, Networks, Progress,
  Registries, System, VolumeDetails, Volumes,
} from "../engine/index.ts";
