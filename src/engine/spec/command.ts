import { SampanError } from "../../base/errors.ts";
import type { StoredConfig } from "./stored.ts";

/** Entrypoint and arguments: a request's entrypoint takes the image's command away (Docker's rule). */
export function commandOf(stored: StoredConfig): string[] {
  const { request, image } = stored;
  const given = request.entrypoint;
  const entrypoint = given === undefined ? image.config.entrypoint : given.filter((word, i) => !(i === 0 && word === ""));
  const cmd = request.command.length > 0 ? request.command : given === undefined ? image.config.cmd : [];
  const command = [...entrypoint, ...cmd];
  if (command.length === 0) throw new SampanError("invalid", "no command specified", { exitCode: 125, hint: `Name one after the image: sampan run ${image.reference} COMMAND` });
  return command;
}
