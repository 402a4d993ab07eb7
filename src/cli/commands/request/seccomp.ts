import { errnoOf, messageOf } from "../../../base/errors.ts";
import { absolutePath } from "../../parse/volume.ts";

/** The options with a seccomp file replaced by its content, so that the request does not depend on where it was made. */
export function buildSecurityOptions(options: readonly string[], cwd: string, problems: string[]): string[] {
  return options.map((option) => {
    const path = /^seccomp=(.*)$/s.exec(option)?.[1];
    if (path === undefined || path === "unconfined" || path === "builtin") return option;
    let text: string;
    try {
      // Loaded here, because most lines name no file.
      text = process.getBuiltinModule("node:fs").readFileSync(absolutePath(path, cwd), "utf8");
    } catch (error) {
      problems.push(`opening seccomp profile (${path}) failed: ${errnoOf(error) === "ENOENT" ? "no such file or directory" : messageOf(error)}`);
      return option;
    }
    try {
      const profile: unknown = JSON.parse(text);
      return `seccomp=${JSON.stringify(profile)}`;
    } catch (error) {
      problems.push(`compacting json for seccomp profile (${path}) failed: ${messageOf(error)}`);
      return option;
    }
  });
}
