import { errnoOf } from "../../base/errors.ts";
import { refuse } from "../flags/flag.ts";
import { absolutePath } from "./volume.ts";

/**
 * The "KEY=VALUE" lines of an environment or label file, by Docker's rules: blank lines and lines that start with "#" are
 * skipped, blanks before a key are dropped, everything after the first "=" is the value as it stands (no quotes, no
 * escapes, trailing blanks kept). A key alone takes its value from `lookup`, and is left out where that has none.
 */
export function parseKeyValueText(text: string, lookup: (key: string) => string | undefined): string[] {
  const pairs: string[] = [];
  for (const raw of text.replace(/^\uFEFF/, "").split("\n")) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    const key = equals === -1 ? line : line.slice(0, equals);
    if (key === "") return refuse(`no variable name on line '${line}'`);
    if (/[ \t]/.test(key)) return refuse(`variable '${key}' contains whitespaces`);
    if (equals !== -1) pairs.push(line);
    else {
      const value = lookup(key);
      if (value !== undefined) pairs.push(`${key}=${value}`);
    }
  }
  return pairs;
}

/** Reads a file, beneath `cwd` unless absolute, for `parseKeyValueText`. Refuses what is missing, unreadable or not UTF-8. */
export function readKeyValueFile(path: string, cwd: string, lookup: (key: string) => string | undefined = () => undefined): string[] {
  let bytes: Uint8Array;
  try {
    // node:fs takes a while to load, and most lines name no file.
    bytes = process.getBuiltinModule("node:fs").readFileSync(absolutePath(path, cwd));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return refuse(`open ${path}: ${reasons[errno] ?? errno}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(`invalid env file (${path}): invalid utf8 bytes`);
  }
  try {
    return parseKeyValueText(text, lookup);
  } catch (error) {
    return refuse(`invalid env file (${path}): ${error instanceof Error ? error.message : String(error)}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
};
