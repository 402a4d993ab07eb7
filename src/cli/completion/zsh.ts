import type { CompletionCommand, CompletionModel, WordKind } from "./model.ts";
import { GLOBAL_FLAGS, NAME_QUERIES } from "./model.ts";

/** A `#compdef` file: as _sampan in a directory of $fpath, or by `source <(sampan completion zsh)`. */
export function zshCompletion({ commands, groups }: CompletionModel): string {
  const single = commands.filter(({ path }) => !path.includes(" "));
  const tops = [...single.map(({ path, summary }) => [path, summary] as const), ...groups.map((group) => [group, `Commands for ${group}`] as const)];
  const verbsOf = (group: string): string[] =>
    commands.filter(({ path }) => path.startsWith(`${group} `)).map(({ path, summary }) => quote(`${path.slice(group.length + 1)}:${summary}`));
  const globals = GLOBAL_FLAGS.map(({ name, takesFile, help }) =>
    takesFile ? quote(`${name}=[${escape(help)}]:directory:_files -/`) : quote(`${name}[${escape(help)}]`));
  return `#compdef sampan
# zsh completion for sampan; written by "sampan completion zsh"

__sampan_names() {
  # _arguments puts what is for compadd before the kind.
  local -a names
  case "\${@[-1]}" in
${Object.entries(NAME_QUERIES).map(([kind, query]) => `    ${kind}) names=(\${(f)"$("\${sampan[@]}" ${query} 2>/dev/null)"}) ;;`).join("\n")}
  esac
  compadd "\${@[1,-2]}" -a names
}

_sampan_command() {
  case "$1" in
${commands.map(commandCase).join("\n")}
  esac
}

_sampan() {
  local curcontext=$curcontext state line
  # The program as it is typed, which is expanded but never run as code, with the store that is named before the command.
  local -a commands sampan=(\${~words[1]})
  local -A opt_args
  _arguments -C \\
${globals.map((spec) => `    ${spec} \\`).join("\n")}
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command)
      commands=(${tops.map(([name, summary]) => `\n        ${quote(`${name}:${summary}`)}`).join("")}
      )
      _describe -t commands 'sampan command' commands ;;
    rest)
      local option
      for option in ${GLOBAL_FLAGS.filter(({ takesFile }) => takesFile).map(({ name }) => name).join(" ")}; do
        (( \${+opt_args[$option]} )) && sampan+=($option "\${(Q)opt_args[$option]}")
      done
      # Not "path", which is another name of PATH in zsh.
      local name=$words[1]
      case $name in
${groups.map((group) => `        ${group})
          if (( CURRENT == 2 )); then
            commands=(${verbsOf(group).map((verb) => `\n              ${verb}`).join("")}
            )
            _describe -t commands 'sampan ${group} command' commands
            return
          fi
          name="$name $words[2]"
          shift words
          (( CURRENT-- )) ;;`).join("\n")}
      esac
      _sampan_command "$name" ;;
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
