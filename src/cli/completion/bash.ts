import type { CompletionCommand, CompletionFlag, CompletionModel, WordKind } from "./model.ts";
import { GLOBAL_FLAGS, NAME_QUERIES } from "./model.ts";

/** For `source <(sampan completion bash)`, with bash 4 and nothing else. */
export function bashCompletion({ commands, groups }: CompletionModel): string {
  const top = [...new Set(commands.map(({ path }) => path.split(" ")[0] ?? ""))];
  const verbsOf = (group: string): string => commands.filter(({ path }) => path.startsWith(`${group} `)).map(({ path }) => path.slice(group.length + 1)).join(" ");
  const positionals = grouped(commands, (command) => command.positionals.join(" ")).filter(([, kinds]) => kinds !== "");
  const flagNames = (command: CompletionCommand): string => [...command.flags.flatMap(({ names }) => names), "--help"].join(" ");
  return `# bash completion for sampan; written by "sampan completion bash"

__sampan_names() {
  case "$1" in
${Object.entries(NAME_QUERIES).map(([kind, query]) => `    ${kind}) "\${__sampan_call[@]}" ${query} 2>/dev/null ;;`).join("\n")}
  esac
}

# The words after a group's name, and the commands.
__sampan_commands() {
  case "$1" in
${groups.map((group) => `    ${group}) echo "${verbsOf(group)}" ;;`).join("\n")}
    "") echo "${top.join(" ")} help" ;;
  esac
}

__sampan_flags() {
  case "$1" in
${grouped(commands, flagNames).map(([paths, flags]) => `    ${paths}) echo "${flags}" ;;`).join("\n")}
  esac
}

# What the value of a flag is: a kind, or choices after "=". Nothing for a switch.
__sampan_value() {
  case "$1" in
${grouped(commands, valueCases).filter(([, body]) => body !== "").map(([paths, body]) => `    ${paths})\n      case "$2" in\n${body}      esac ;;`).join("\n")}
  esac
}

__sampan_positionals() {
  case "$1" in
${positionals.map(([paths, kinds]) => `    ${paths}) echo "${kinds}" ;;`).join("\n")}
  esac
}

# After its first positional such a command has no flags any more.
__sampan_stops() {
  case "$1" in
    ${commands.filter(({ interspersed }) => !interspersed).map(({ path }) => `"${path}"`).join(" | ")}) return 0 ;;
  esac
  return 1
}

__sampan_reply() {
  local kind=$1 current=$2
  case "$kind" in
    =*) mapfile -t COMPREPLY < <(compgen -W "\${kind#=}" -- "$current") ;;
    file) compopt -o default 2>/dev/null ;;
    none) ;;
    *)
      # Not by compgen -W, which would expand what it finds in a name.
      local name
      while read -r name; do
        [[ $name == "$current"* ]] && COMPREPLY+=("$name")
      done < <(__sampan_names "$kind")
      # The colon of an image's name is a word break to readline: what stands before it is typed already.
      if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*:}"}"}")
      fi
      ;;
  esac
}

_sampan() {
  COMPREPLY=()
  # Words as a shell has them, not as readline breaks them: "a:b" and "--flag=value" are one.
  local -a words=()
  local line=\${COMP_LINE:0:COMP_POINT} current=""
  read -ra words <<<"$line"
  case "$line" in *[[:space:]]) words+=("") ;; esac
  local count=\${#words[@]}
  ((count > 0)) && current=\${words[count - 1]}
  local -a __sampan_call=("\${words[0]}")
  local n=1 path="" word
  while ((n < count - 1)); do
    word=\${words[n]}
    case "$word" in
      ${GLOBAL_FLAGS.filter(({ takesFile }) => takesFile).map(({ name }) => name).join(" | ")})
        __sampan_call+=("$word" "\${words[n + 1]}")
        if ((n + 1 == count - 1)); then __sampan_reply file "$current"; return; fi
        n=$((n + 2)) ;;
      -*) __sampan_call+=("$word"); n=$((n + 1)) ;;
      *) break ;;
    esac
  done
  if ((n >= count - 1)); then
    case "$current" in
      -*) mapfile -t COMPREPLY < <(compgen -W "${GLOBAL_FLAGS.map(({ name }) => name).join(" ")}" -- "$current") ;;
      *) mapfile -t COMPREPLY < <(compgen -W "$(__sampan_commands "")" -- "$current") ;;
    esac
    return
  fi
  path=\${words[n]}
  n=$((n + 1))
  if [[ $path == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(__sampan_commands "")" -- "$current")
    return
  fi
  if [[ -n $(__sampan_commands "$path") ]]; then
    if ((n == count - 1)); then
      mapfile -t COMPREPLY < <(compgen -W "$(__sampan_commands "$path")" -- "$current")
      return
    fi
    path="$path \${words[n]}"
    n=$((n + 1))
  fi
  local -a kinds=()
  read -ra kinds <<<"$(__sampan_positionals "$path")"
  local given=0 expects="" over=""
  for (( ; n < count - 1; n++)); do
    word=\${words[n]}
    if [[ -n $expects ]]; then expects=""; continue; fi
    if [[ $word == -- ]]; then over=1; continue; fi
    if [[ -z $over && $word == -?* ]]; then
      [[ $word == *=* ]] || expects=$(__sampan_value "$path" "$word")
      continue
    fi
    given=$((given + 1))
    __sampan_stops "$path" && over=1
  done
  if [[ -n $expects ]]; then __sampan_reply "$expects" "$current"; return; fi
  if [[ -z $over && $current == --*=* ]]; then
    __sampan_reply "$(__sampan_value "$path" "\${current%%=*}")" "\${current#*=}"
    return
  fi
  if [[ -z $over && $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(__sampan_flags "$path")" -- "$current")
    return
  fi
  ((\${#kinds[@]} == 0)) && return
  ((given >= \${#kinds[@]})) && given=$((\${#kinds[@]} - 1))
  __sampan_reply "\${kinds[given]}" "$current"
}

complete -F _sampan sampan
`;
}

function valueCases({ flags }: CompletionCommand): string {
  const byValue = new Map<string, string[]>();
  for (const { names, value } of flags) {
    if (value === undefined) continue;
    const key = valueText(value);
    byValue.set(key, [...(byValue.get(key) ?? []), ...names]);
  }
  return [...byValue].map(([value, names]) => `        ${names.join(" | ")}) echo "${value}" ;;\n`).join("");
}

function valueText({ kind, choices }: NonNullable<CompletionFlag["value"]>): WordKind | `=${string}` {
  return choices.length > 0 ? `=${choices.join(" ")}` : kind;
}

/** Commands for which a function gives the same, as one case. */
function grouped(commands: readonly CompletionCommand[], give: (command: CompletionCommand) => string): [string, string][] {
  const byText = new Map<string, string[]>();
  for (const command of commands) {
    const text = give(command);
    byText.set(text, [...(byText.get(text) ?? []), `"${command.path}"`]);
  }
  return [...byText].map(([text, paths]) => [paths.join(" | "), text]);
}
