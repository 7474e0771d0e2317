import type { Answer, Choice, LineTable } from "./line_table.ts";

/** The completion of zsh: a function for a folder of `fpath`, which can also be sourced. */
export function zshScript(table: LineTable): string {
  return SCRIPT.replace("@VALUED@", () => table.valued.join(" "))
    .replace("@CONNECTION@", () => table.connection.join(" "))
    .replace("@PLACES@", () => placeLines(table).join("\n"))
    .replace("@OPTIONS@", () => optionLines(table).join("\n"))
    .replace("@WORDS@", () => wordLines(table).join("\n"));
}

function placeLines({ places, shared }: LineTable): string[] {
  const groups = Object.entries(shared).flatMap(([name, choices]) => [
    `  local -a ${name}=(`,
    ...choices.map(described),
    "  )",
  ]);
  const cases = places.flatMap(({ path, verbs, options, shared, takesNamed }) => [
    `  ("${path}")`,
    ...(takesNamed ? ["    named=1"] : []),
    ...(verbs.length === 0 ? [] : ["    verbs=(", ...verbs.map(described), "    )"]),
    "    options=(",
    ...options.map(described),
    ...shared.map((name) => `      $${name}`),
    "    )",
    "    ;;",
  ]);
  return [...groups, "  case $1 in", ...cases];
}

/** An entry of `_describe`: a colon separates the word from what it is. */
function described({ text, describe }: Choice): string {
  return `      '${text}:${describe.replaceAll("'", `'\\''`)}'`;
}

function optionLines({ answers }: LineTable): string[] {
  return answers.map((answer) => {
    const paths = answer.paths?.map((path) => `"${path}"`) ?? ["*"];
    const patterns = answer.names.flatMap((name) => paths.map((path) => `${path}:${name}`));
    return `  (${patterns.join("|")}) ${callsOf(answer)} ;;`;
  });
}

function wordLines({ places }: LineTable): string[] {
  return places.flatMap(({ path, words }) =>
    words.map((word, index) => {
      const after = word.isBeforeDashes ? "" : "*";
      return `  ("${path}":${word.isRest ? "*" : index}:${after}) ${callsOf(word)} ;;`;
    })
  );
}

function callsOf({ offer, words }: Answer): string {
  return [
    ...(words.length > 0 ? [`compadd -- ${words.join(" ")}`] : []),
    ...(offer === null ? [] : [callOf(offer)]),
  ].join("; ");
}

function callOf(offer: NonNullable<Answer["offer"]>): string {
  switch (offer) {
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "user":
      return "_users";
    case "command":
      return "_jobctl_command";
    case "argument":
      return "_jobctl_live argument $(( count - 1 ))";
    default:
      return `_jobctl_live ${offer}`;
  }
}

// As bash_script.ts. What the daemon says is never evaluated: compadd quotes it.
const SCRIPT = `#compdef jobctl
# Completion of jobctl for zsh, made by: jobctl completion zsh

# Offers names that the daemon knows.
_jobctl_live() {
  local line name what
  local -a names
  [[ -z $doubt ]] || return 1
  for line in \${(f)"$(print -rl -- $connection |
    $program __complete $1 "\${(Q)PREFIX}" "$first" "$2" 2>/dev/null)"}; do
    name=\${line%%$'\\t'*}
    what=\${line#*$'\\t'}
    name=\${name//\\\\/\\\\\\\\}
    names+=("\${name//:/\\\\:}:$what")
  done
  (( $#names )) || return 1
  _describe -V -t $1 $1 names
}

# A program, then its arguments.
_jobctl_command() {
  if [[ $after == 0 ]]; then
    _command_names -e
  else
    _files
  fi
}

# Sets what may come at a place of the line.
_jobctl_place() {
  verbs=() options=() named=""
@PLACES@
  (*) return 1 ;;
  esac
}

_jobctl_value() {
  case $1 in
@OPTIONS@
  esac
}

_jobctl_word() {
  case $1 in
@WORDS@
  esac
}

_jobctl() {
  local -a valued=(@VALUED@)
  local -a connected=(@CONNECTION@)
  local -a verbs options connection
  local program=\${(Q)words[1]} word raw place="" first="" after="" pending="" doubt="" named=""
  local -i count=0 i
  if [[ $program == \\~/* ]]; then program=$HOME/\${program#\\~/}; fi
  # Only the shell could say what is meant.
  if [[ $program == *[\\$\\\`]* ]]; then doubt=1; fi
  _jobctl_place ""
  for (( i = 2; i < CURRENT; i++ )); do
    raw=$words[i]
    word=\${(Q)raw}
    # A parameter of a job has no value if another option comes after it.
    if [[ $word == -* ]] && (( ! \${valued[(Ie)$pending]} )); then pending=""; fi
    if [[ -n $pending ]]; then
      word=$pending=$word
      pending=""
    elif [[ -n $after ]]; then
      (( after++, count++ ))
      continue
    elif [[ $word == -- ]]; then
      after=0
      continue
    elif (( \${valued[(Ie)$word]} )); then
      pending=$word
      continue
    elif [[ -n $named && $word == --* && $word != *=* ]] && (( ! \${options[(I)$word:*]} )); then
      pending=$word
      continue
    fi
    if [[ $word == help && $i == 2 ]]; then continue; fi
    case $word in
    (-*)
      if (( \${connected[(Ie)\${word%%=*}]} )); then
        connection+=("$word")
        if [[ $raw == *[\\$\\\`]* ]]; then doubt=1; fi
      fi
      ;;
    (*)
      if (( \${verbs[(I)$word:*]} )); then
        place=\${place:+$place }$word
        _jobctl_place $place
      elif (( $#verbs )); then
        return 1
      else
        first=\${first:-$word}
        (( count++ ))
      fi
      ;;
    esac
  done
  if [[ $PREFIX == -* ]] && (( ! \${valued[(Ie)$pending]} )); then pending=""; fi
  if [[ -z $pending && -z $after && $PREFIX == --*=* ]]; then
    pending=\${PREFIX%%=*}
    compset -P '--[a-z-]#='  || compset -P '*='
  fi
  if [[ -n $pending && -n $named ]] && (( ! \${valued[(Ie)$pending]} )); then
    _jobctl_live value \${pending#--}
  elif [[ -n $pending ]]; then
    _jobctl_value $place:$pending
  elif [[ -z $after && $PREFIX == -* ]]; then
    _describe -o -t options option options
    if [[ -n $named && -n $first ]]; then _jobctl_live parameter; fi
  elif [[ -z $after && $#verbs -gt 0 ]]; then
    _describe -V -t verbs verb verbs
    _jobctl_word $place:$count:
  else
    _jobctl_word $place:$count:$after
  fi
}

if [[ $funcstack[1] == _jobctl ]]; then
  _jobctl "$@"
else
  compdef _jobctl jobctl
fi
`;
