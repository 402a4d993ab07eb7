import { SampanError } from "../../base/errors.ts";
import type { EngineContext } from "../context.ts";
import type { RunRequest } from "../request.ts";
import type { RunnableImage } from "../spec/image.ts";

/** The image that a request names. */
export async function imageForRun(_context: EngineContext, request: RunRequest): Promise<RunnableImage> {
  throw new SampanError("not-found", `No such image: ${request.image}`, { exitCode: 125 });
}
