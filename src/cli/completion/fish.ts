import type { CompletionCommand, CompletionModel, WordKind } from "./model.ts";
import { GLOBAL_FLAGS, NAME_QUERIES } from "./model.ts";

/** For `sampan completion fish | source`. */
export function fishCompletion({ commands, groups }: CompletionModel): string {
  const lines: string[] = [];
  const single = commands.filter(({ path }) => !path.includes(" "));
  for (const { path, summary } of single) lines.push(`complete -c sampan -n __sampan_is_bare -a ${path} -d ${quote(summary)}`);
  for (const group of groups) {
    lines.push(`complete -c sampan -n __sampan_is_bare -a ${group} -d ${quote(`Commands for ${group}`)}`);
    for (const { path, summary } of commands.filter((command) => command.path.startsWith(`${group} `)))
      lines.push(`complete -c sampan -n '__sampan_is ${group}' -a ${path.slice(group.length + 1)} -d ${quote(summary)}`);
  }
  for (const { name, takesFile, help } of GLOBAL_FLAGS)
    lines.push(`complete -c sampan -n __sampan_is_bare -l ${name.slice(2)}${takesFile ? " -r -F" : ""} -d ${quote(help)}`);
  for (const command of commands) lines.push(...linesOf(command));
  return `# fish completion for sampan; written by "sampan completion fish"

# The words before the cursor without flags, as far as they can be told: the command and what it was given.
function __sampan_words
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case --root --state
                set skip 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

function __sampan_is_bare
    test (count (__sampan_words)) -eq 0
end

# The command line is that of this command; of a group: no command of it was named yet.
function __sampan_is
    set -l words (__sampan_words)
    contains -- "$argv" ${groups.join(" ")}; and begin
        test (count $words) -eq 1; and test "$words[1]" = "$argv"
        return
    end
    string match -q -- "$argv *" "$words "
end

${Object.entries(NAME_QUERIES).map(([kind, query]) => `function __sampan_${kind}s\n    sampan ${query} 2>/dev/null\nend\n`).join("\n")}
complete -c sampan -f
${lines.join("\n")}
`;
}

function linesOf({ path, flags, positionals }: CompletionCommand): string[] {
  const when = `-n '__sampan_is ${path}'`;
  const lines = flags.map(({ names, help, value }) => {
    const long = names.filter((name) => name.startsWith("--")).map((name) => ` -l ${name.slice(2)}`).join("");
    const short = names.filter((name) => !name.startsWith("--")).map((name) => ` -s ${name.slice(1)}`).join("");
    const takes = value === undefined
      ? ""
      : value.choices.length > 0 ? ` -x -a '${value.choices.join(" ")}'`
      : value.kind === "file" ? " -r -F"
      : ` -x${nameSource(value.kind)}`;
    return `complete -c sampan ${when}${long}${short}${takes} -d ${quote(help)}`;
  });
  const kinds = [...new Set(positionals)].filter((kind) => kind !== "none");
  for (const kind of kinds) lines.push(kind === "file" ? `complete -c sampan ${when} -F` : `complete -c sampan ${when}${nameSource(kind)}`);
  return lines;
}

function nameSource(kind: WordKind): string {
  return kind === "none" || kind === "file" ? "" : ` -a '(__sampan_${kind}s)'`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
