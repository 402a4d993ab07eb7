import type { ExecutionConfig, ImageConfig } from "../../oci/image-config.ts";
import { parseHealthcheck } from "./healthcheck.ts";
import { changeError, execForm, splitWords } from "./words.ts";

const WITH_ARGUMENTS: ReadonlySet<string> = new Set(["ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"]);
const DEFAULT_SHELL = ["/bin/sh", "-c"];

/**
 * The config after Dockerfile-like instructions (`commit -c`, `import -c`), applied in order; the input is not changed. Those that
 * Docker takes here: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR. Throws `invalid`.
 */
export function applyChanges(image: ImageConfig, changes: readonly string[]): ImageConfig {
  const config: ExecutionConfig = structuredClone(image.config ?? {});
  let commandWasSet = false;
  for (const change of changes) {
    const match = /^\s*([A-Za-z]+)(?:\s+([\s\S]*?))?\s*$/.exec(change);
    if (match === null) throw changeError(change, "it is no instruction");
    const instruction = (match[1] ?? "").toUpperCase();
    const rest = match[2] ?? "";
    if (rest === "" && WITH_ARGUMENTS.has(instruction)) throw changeError(change, `${instruction} needs at least one argument`);
    if (instruction === "CMD") commandWasSet = true;
    applyChange(config, instruction, rest, change, commandWasSet);
  }
  return { ...image, config };
}

function applyChange(config: ExecutionConfig, instruction: string, rest: string, change: string, commandWasSet: boolean): void {
  const words = (): string[] => splitWords(rest, environment(config), change);
  switch (instruction) {
    case "CMD":
      config.Cmd = command(config, rest);
      return;
    case "ENTRYPOINT":
      config.Entrypoint = command(config, rest);
      // A command that the parent meant for its own entrypoint would be nonsense to this one.
      if (!commandWasSet) delete config.Cmd;
      return;
    case "ENV":
      for (const [name, value] of pairs(rest, environment(config), change)) setVariable(config, name, value);
      return;
    case "LABEL":
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(rest, environment(config), change)) };
      return;
    case "EXPOSE":
      for (const port of words().flatMap((word) => portsOf(word, change))) (config.ExposedPorts ??= {})[port] = {};
      return;
    case "VOLUME":
      for (const path of execForm(rest) ?? words()) {
        if (path.trim() === "") throw changeError(change, "a volume needs a path");
        (config.Volumes ??= {})[path] = {};
      }
      return;
    case "USER":
      config.User = single(words(), change);
      return;
    case "WORKDIR":
      config.WorkingDir = resolveDirectory(config.WorkingDir ?? "/", words().join(" "));
      return;
    case "STOPSIGNAL":
      config.StopSignal = single(words(), change);
      if (!/^(SIG)?[A-Z0-9+-]+$/i.test(config.StopSignal)) throw changeError(change, `"${config.StopSignal}" is not a signal`);
      return;
    case "ONBUILD": {
      const trigger = /^[A-Za-z]+/.exec(rest)?.[0].toUpperCase();
      if (trigger === "ONBUILD" || trigger === "FROM" || trigger === "MAINTAINER") throw changeError(change, `${trigger} is not allowed as an ONBUILD trigger`);
      config.OnBuild = [...(config.OnBuild ?? []), rest];
      return;
    }
    case "HEALTHCHECK":
      config.Healthcheck = parseHealthcheck(rest, change);
      return;
    default:
      throw changeError(change, `${instruction} is not a change that can be made`);
  }
}

function command(config: ExecutionConfig, rest: string): string[] {
  if (rest === "") return [];
  return execForm(rest) ?? [...(config.Shell ?? DEFAULT_SHELL), rest];
}

function environment(config: ExecutionConfig): Map<string, string> {
  return new Map((config.Env ?? []).map((entry) => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)]));
}

function setVariable(config: ExecutionConfig, name: string, value: string): void {
  const entry = `${name}=${value}`;
  const env = config.Env ?? [];
  const index = env.findIndex((old) => old.startsWith(`${name}=`));
  config.Env = index === -1 ? [...env, entry] : env.with(index, entry);
}

/** `A=1 B=2`, or the old `A the rest`, blanks and all. */
function pairs(rest: string, variables: ReadonlyMap<string, string>, change: string): [string, string][] {
  const words = splitWords(rest, variables, change);
  const first = words[0] ?? "";
  if (!/^[^\s"']*=/.test(rest) && !first.includes("=")) {
    if (words.length < 2) throw changeError(change, `"${first}" has no value`);
    return [[first, splitWords(rest.replace(/^\S+\s+/, ""), variables, change, true).join("")]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals <= 0) throw changeError(change, `"${word}" is not of the form name=value`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** "80", "80/udp", "8000-8002/tcp" as the config's keys. */
function portsOf(word: string, change: string): string[] {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65_535 || last < first) throw changeError(change, `invalid containerPort: ${word}`);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${(match[3] ?? "tcp").toLowerCase()}`);
}

function single(words: readonly string[], change: string): string {
  const [word] = words;
  if (word === undefined || words.length !== 1) throw changeError(change, "it takes exactly one argument");
  return word;
}

function resolveDirectory(current: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${current}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
