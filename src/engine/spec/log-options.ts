import { digestHex, isDigest } from "../../oci/digest.ts";
import type { RunRequest } from "../request.ts";
import type { StoredConfig } from "./stored.ts";

/** `--log-opt`, in the words of Docker's json-file driver. */
export interface LogSettings {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** How much is kept where nobody said. */
const DEFAULTS: LogSettings = { maxBytes: 10_000_000, maxFiles: 3 };
/** keel names files with three digits. */
const MOST_FILES = 999;

type Option = (value: string, options: Readonly<Record<string, string>>) => string | undefined;

/** Each option, and what is wrong with a value. */
const OPTIONS: Readonly<Record<string, Option>> = {
  "max-size": (value) => (logBytes(value) === undefined ? "it is to be a size above 0: 10m" : undefined),
  "max-file": (value) => (/^[1-9][0-9]*$/.test(value) && Number(value) <= MOST_FILES ? undefined : `it is to be a number from 1 to ${MOST_FILES}`),
  labels: () => undefined,
  env: () => undefined,
  "labels-regex": patternProblem,
  "env-regex": patternProblem,
  tag: (value) => (/\{\{(?!\s*\.(ID|FullID|Name|ImageID|ImageFullID|ImageName|DaemonName)\s*\}\})/.test(value)
    ? "a tag knows {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageID}}, {{.ImageFullID}}, {{.ImageName}} and {{.DaemonName}}"
    : undefined),
  // What was rotated away can be read while it is followed, and is at most max-size × max-file.
  compress: (value) => (/^(false|f|0)$/i.test(value) ? undefined : "rotated files are not compressed"),
  mode: (value) => {
    if (value === "blocking") return undefined;
    return value === "non-blocking" ? "lines are never thrown away, so the mode is always blocking" : 'it is to be "blocking"';
  },
  "max-buffer-size": () => "it goes with mode=non-blocking, and lines are never thrown away",
};

/** Why `--log-opt` cannot be heeded; empty if it can. */
export function logProblems({ logDriver, logOptions }: RunRequest): string[] {
  if (logDriver === "none") return []; // which takes none at all
  return Object.entries(logOptions).flatMap(([key, value]) => {
    if (!Object.hasOwn(OPTIONS, key)) return [`unknown log opt '${key}' for ${logDriver} log driver`];
    const problem = OPTIONS[key]?.(value, logOptions);
    return problem === undefined ? [] : [`invalid value ${JSON.stringify(value)} for log opt '${key}': ${problem}`];
  });
}

/** On unless the driver says none, bounded unless an option says otherwise. */
export function logSettings({ request }: Pick<StoredConfig, "request">): { log: LogSettings | undefined } {
  if (request.logDriver === "none") return { log: undefined };
  const { "max-size": size, "max-file": files } = request.logOptions;
  return { log: {
    maxBytes: (size === undefined ? undefined : logBytes(size)) ?? DEFAULTS.maxBytes,
    maxFiles: files === undefined ? DEFAULTS.maxFiles : Number(files),
  } };
}

/** "10m", "1.5 MB", "10mib": decimal whatever the unit, as go-units' FromHumanSize has it. */
function logBytes(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  const bytes = match === null ? 0 : Math.trunc(Number(match[1]) * 1000 ** " kmgtp".indexOf((match[2] ?? "").toLowerCase() || " "));
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** What `logs --details` shows: of labels and variables those that were named, and the tag. */
export function logAttributes({ id, name, request, image }: StoredConfig): Record<string, string> {
  const options = request.logOptions;
  const env = [...image.config.env, ...request.env].filter((entry) => entry.includes("=")).map((entry) => [
    entry.slice(0, entry.indexOf("=")),
    entry.slice(entry.indexOf("=") + 1),
  ] as const);
  const attributes = {
    ...chosen(Object.entries({ ...image.config.labels, ...request.labels }), options["labels"], options["labels-regex"]),
    ...chosen(env, options["env"], options["env-regex"]),
  };
  const imageId = isDigest(image.id) ? digestHex(image.id) : image.id;
  const facts: Readonly<Record<string, string>> = {
    ID: id.slice(0, 12), FullID: id, Name: name, ImageID: imageId.slice(0, 12), ImageFullID: image.id, ImageName: image.reference,
    DaemonName: "sampan",
  };
  const tag = (options["tag"] ?? "").replace(/\{\{\s*\.(\w+)\s*\}\}/g, (_, fact: string) => facts[fact] ?? "");
  return tag === "" ? attributes : { ...attributes, tag };
}

function chosen(pairs: readonly (readonly [string, string])[], names = "", pattern = ""): Record<string, string> {
  const wanted = new Set(names.split(","));
  const matches = pattern === "" ? undefined : new RegExp(pattern);
  return Object.fromEntries(pairs.filter(([name]) => wanted.has(name) || matches?.test(name) === true));
}

function patternProblem(value: string): string | undefined {
  try {
    new RegExp(value);
    return undefined;
  } catch {
    return "it is no regular expression";
  }
}
