import type { CompletionCommand, CompletionModel, WordKind } from "./model.ts";
import { GLOBAL_FLAGS, NAME_QUERIES } from "./model.ts";

/** A `#compdef` file: as _sampan in a directory of $fpath, or by `source <(sampan completion zsh)`. */
export function zshCompletion({ commands, groups }: CompletionModel): string {
  const single = commands.filter(({ path }) => !path.includes(" "));
  const tops = [...single.map(({ path, summary }) => [path, summary] as const), ...groups.map((group) => [group, `Commands for ${group}`] as const)];
  return `#compdef sampan
# zsh completion for sampan; written by "sampan completion zsh"

__sampan_names() {
  local -a names
  case "$1" in
${Object.entries(NAME_QUERIES).map(([kind, query]) => `    ${kind}) names=(\${(f)"$(_call_program ${kind}s \${words[1]} ${query} 2>/dev/null)"}) ;;`).join("\n")}
  esac
  compadd -a names
}

_sampan_command() {
  case "$1" in
${commands.map(commandCase).join("\n")}
  esac
}

_sampan() {
  local curcontext=$curcontext state line
  local -a commands
  typeset -A opt_args
  _arguments -C \\
${GLOBAL_FLAGS.map(({ name, takesFile, help }) => `    ${quote(`${name}[${escape(help)}]${takesFile ? ":directory:_files -/" : ""}`)} \\`).join("\n")}
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command)
      commands=(${tops.map(([name, summary]) => `\n        ${quote(`${name}:${summary}`)}`).join("")}
      )
      _describe -t commands 'sampan command' commands ;;
    rest)
      local path=$words[1]
      case $path in
${groups.map((group) => `        ${group})
          if (( CURRENT == 2 )); then
            commands=(${commands.filter(({ path }) => path.startsWith(`${group} `)).map(({ path, summary }) => `\n              ${quote(`${path.slice(group.length + 1)}:${summary}`)}`).join("")}
            )
            _describe -t commands 'sampan ${group} command' commands
            return
          fi
          path="$path $words[2]"
          shift words
          (( CURRENT-- )) ;;`).join("\n")}
      esac
      _sampan_command "$path" ;;
  esac
}

if [[ $funcstack[1] = _sampan ]]; then
  _sampan "$@"
else
  compdef _sampan sampan
fi
`;
}

function commandCase({ path, flags, positionals, interspersed }: CompletionCommand): string {
  const specs = flags.flatMap(({ names, help, value }) =>
    names.map((name) => {
      const takes = value === undefined ? "" : `:value:${value.choices.length > 0 ? `(${value.choices.join(" ")})` : action(value.kind)}`;
      const glue = value === undefined ? "" : name.startsWith("--") ? "=" : "+";
      return quote(`*${name}${glue}[${escape(help)}]${takes}`);
    }),
  );
  positionals.forEach((kind, n) => specs.push(quote(n === positionals.length - 1 ? `*:${kind}:${action(kind)}` : `${n + 1}:${kind}:${action(kind)}`)));
  const options = interspersed ? "-s" : "-s -A '-*'";
  return `    ${quote(path)})\n      _arguments ${options}${specs.map((spec) => ` \\\n        ${spec}`).join("")} ;;`;
}

function action(kind: WordKind): string {
  return kind === "file" ? "_files" : kind === "none" ? " " : `__sampan_names ${kind}`;
}

/** Within the brackets and colons of an _arguments specification. */
function escape(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
