import { SampanError } from "../../base/errors.ts";
import type { EngineContext } from "../context.ts";
import type { VolumeUse } from "../containers/prepare.ts";
import type { RunRequest } from "../request.ts";
import type { RunnableImage } from "../spec/image.ts";
import type { StoredMount } from "../spec/stored.ts";

/** Volumes of a container. */
export function planVolumes(_context: EngineContext, _request: RunRequest, _image: RunnableImage, _mounts: readonly StoredMount[]): { mounts: StoredMount[]; volumes: VolumeUse[] } {
  throw new SampanError("unsupported", "Volumes are not there yet", { exitCode: 125 });
}
