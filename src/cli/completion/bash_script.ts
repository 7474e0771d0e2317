import type { Answer, LineTable } from "./line_table.ts";

/** The completion of bash, from version 3.2 on. */
export function bashScript(table: LineTable): string {
  return SCRIPT.replace("@VALUED@", () => table.valued.join(" "))
    .replace("@CONNECTION@", () => table.connection.join(" "))
    .replace("@PLACES@", () => placeLines(table).join("\n"))
    .replace("@OPTIONS@", () => optionLines(table).join("\n"))
    .replace("@WORDS@", () => wordLines(table).join("\n"));
}

function placeLines({ places, shared }: LineTable): string[] {
  const groups = Object.entries(shared).map(([name, choices]) =>
    `  local ${name}="${choices.map(({ text }) => text).join(" ")}"`
  );
  const cases = places.map(({ path, verbs, options, shared, takesNamed }) => {
    const set = [
      ...(takesNamed ? ["named=1"] : []),
      ...(verbs.length > 0 ? [`verbs="${verbs.map(({ text }) => text).join(" ")}"`] : []),
      `options="${
        [...options.map(({ text }) => text), ...shared.map((name) => `$${name}`)].join(" ")
      }"`,
    ];
    return `  "${path}") ${set.join(" ")} ;;`;
  });
  return [...groups, "  case $1 in", ...cases];
}

function optionLines({ answers }: LineTable): string[] {
  return answers.map((answer) => {
    const paths = answer.paths?.map((path) => `"${path}"`) ?? ["*"];
    const patterns = answer.names.flatMap((name) => paths.map((path) => `${path}:${name}`));
    return `  ${patterns.join(" | ")}) ${callsOf(answer)} ;;`;
  });
}

function wordLines({ places }: LineTable): string[] {
  return places.flatMap(({ path, words }) =>
    words.flatMap((word, index) => {
      const after = word.isBeforeDashes ? "" : "*";
      const pattern = `"${path}":${word.isRest ? "*" : index}:${after}`;
      if (word.offer === null && word.words.length === 0) return [`  ${pattern}) ;;`];
      return [`  ${pattern}) ${callsOf(word)} ;;`];
    })
  );
}

function callsOf({ offer, words }: Answer): string {
  const calls = [
    ...(words.length > 0 ? [`_jobctl_add ${words.join(" ")}`] : []),
    ...(offer === null ? [] : [callOf(offer)]),
  ];
  return calls.join("; ");
}

function callOf(offer: NonNullable<Answer["offer"]>): string {
  switch (offer) {
    case "file":
    case "folder":
    case "user":
    case "command":
      return `_jobctl_${offer}`;
    case "argument":
      return "_jobctl_live argument $((count - 1))";
    default:
      return `_jobctl_live ${offer}`;
  }
}

// `path` is the verb, `given` the words before the cursor, `prefix` what the last of them stands
// for. Nothing that is on the line or comes from the daemon is ever evaluated.
const SCRIPT = `# shellcheck shell=bash
# Completion of jobctl for bash, made by: jobctl completion bash

# The words before the cursor, as typed: bash also splits at ":" and "=".
_jobctl_split() {
  local rest=\${COMP_LINE:0:COMP_POINT} blank word i
  given=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    blank=\${rest%%[![:space:]]*}
    rest=\${rest#"$blank"}
    word=\${COMP_WORDS[i]}
    # The cursor may be within the last word.
    if ((i == COMP_CWORD)); then word=$rest; fi
    rest=\${rest#"$word"}
    if [[ $i == 0 || -n $blank ]]; then
      given[\${#given[@]}]=$word
    else
      given[\${#given[@]} - 1]+=$word
    fi
  done
}

# Sets text to what a word stands for, quote to the quote that is open at its end, and unknown if
# only the shell could say more.
_jobctl_unquote() {
  local word=$1 char next i
  text="" quote="" unknown=""
  for ((i = 0; i < \${#word}; i++)); do
    char=\${word:i:1}
    next=\${word:i+1:1}
    case $quote$char in
    "''" | '""') quote="" ;;
    "'"?) text+=$char ;;
    "'" | '"') quote=$char ;;
    \\"\\\\)
      if [[ $next == [\\$\\\`\\"\\\\] ]]; then
        text+=$next
        i=$((i + 1))
      else
        text+=$char
      fi
      ;;
    \\\\)
      text+=$next
      i=$((i + 1))
      ;;
    '$' | '\`' | '"$' | '"\`')
      unknown=1
      text+=$char
      ;;
    *) text+=$char ;;
    esac
  done
}

# Offers words, quoted as the word on the line is.
_jobctl_add() {
  local word quoted from
  for word; do
    [[ $word == "$prefix"* ]] || continue
    case $open in
    "") printf -v quoted %q "$word" ;;
    "'")
      [[ $word != *\\'* ]] || continue
      quoted=$word
      ;;
    *)
      # Bash expands "!" even after a backslash.
      [[ $word != *!* ]] || continue
      quoted=\${word//\\\\/\\\\\\\\}
      quoted=\${quoted//\\"/\\\\\\"}
      quoted=\${quoted//\\$/\\\\\\$}
      quoted=\${quoted//\\\`/\\\\\\\`}
      ;;
    esac
    # Bash replaces only what comes after the last ":" or "=".
    from=\${quoted#"$kept"}
    [[ -z $kept || $from != "$quoted" ]] || continue
    COMPREPLY[\${#COMPREPLY[@]}]=$head$from
  done
}

# Offers names that the daemon knows.
_jobctl_live() {
  local name program=\${given[0]} text quote unknown IFS=$' \\t\\n'
  [[ -z $doubt ]] || return 0
  _jobctl_unquote "$program"
  [[ -z $unknown ]] || return 0
  program=$text
  if [[ \${program:0:2} == \\~/ ]]; then program=$HOME/\${program:2}; fi
  while IFS=$'\\t' read -r name _; do
    _jobctl_add "$name"
  done < <(
    printf '%s\\n' "\${connection[@]+"\${connection[@]}"}" |
      "$program" __complete "$1" "$prefix" "$first" "\${2:-}" 2>/dev/null
  )
}

# Bash's own completion of file names also quotes them.
_jobctl_file() { compopt -o default -o filenames 2>/dev/null; }
_jobctl_folder() { compopt -o dirnames -o filenames 2>/dev/null; }

_jobctl_user() {
  local name
  while read -r name; do _jobctl_add "$name"; done < <(compgen -u)
}

# A program, then its arguments.
_jobctl_command() {
  local name
  if [[ $after != 0 || $prefix == */* ]]; then
    _jobctl_file
    return
  fi
  while read -r name; do _jobctl_add "$name"; done < <(compgen -c -- "$prefix" | sort -u)
}

# Sets what may come at a place of the line.
_jobctl_place() {
  verbs="" options="" named=""
@PLACES@
  *) return 1 ;;
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
  local valued=" @VALUED@ "
  local connected=" @CONNECTION@ "
  local -a given connection=()
  local text quote unknown verbs options named raw word i
  local path="" first="" after="" count=0 pending="" doubt="" prefix="" open="" kept="" head=""
  COMPREPLY=()
  _jobctl_split
  _jobctl_place ""
  for ((i = 1; i < \${#given[@]} - 1; i++)); do
    _jobctl_unquote "\${given[i]}"
    word=$text
    # A parameter of a job has no value if another option comes after it.
    if [[ $word == -* && $valued != *" $pending "* ]]; then pending=""; fi
    if [[ -n $pending ]]; then
      word=$pending=$word
      pending=""
    elif [[ -n $after ]]; then
      after=$((after + 1)) count=$((count + 1))
      continue
    elif [[ $word == -- ]]; then
      after=0
      continue
    elif [[ $valued == *" $word "* ]]; then
      pending=$word
      continue
    elif [[ -n $named && $word == --* && $word != *=* && " $options " != *" $word "* ]]; then
      pending=$word
      continue
    fi
    if [[ $word == help && $i == 1 ]]; then continue; fi
    case $word in
    -*)
      if [[ $connected == *" \${word%%=*} "* ]]; then
        connection[\${#connection[@]}]=$word
        doubt+=$unknown
      fi
      ;;
    *)
      if [[ " $verbs " == *" $word "* ]]; then
        path="\${path:+$path }$word"
        _jobctl_place "$path"
      elif [[ -n $verbs ]]; then
        return 0
      else
        first=\${first:-$word}
        count=$((count + 1))
      fi
      ;;
    esac
  done
  raw=\${given[\${#given[@]} - 1]}
  if [[ $raw == -* && $valued != *" $pending "* ]]; then pending=""; fi
  if [[ -z $pending && -z $after && $raw == --*=* ]]; then
    pending=\${raw%%=*}
    raw=\${raw#*=}
    if [[ $COMP_WORDBREAKS != *=* ]]; then head=$pending=; fi
  fi
  _jobctl_unquote "$raw"
  prefix=$text open=$quote
  # A quote that opens within the word.
  if [[ -n $open && \${raw:0:1} != "$open" ]] || [[ -n $unknown ]]; then return 0; fi
  if [[ -z $open ]]; then
    if [[ $COMP_WORDBREAKS == *:* && $raw == *:* ]]; then kept=\${raw%"\${raw##*:}"}; fi
    if [[ $COMP_WORDBREAKS == *=* && \${raw#"$kept"} == *=* ]]; then kept=\${raw%"\${raw##*=}"}; fi
  fi
  if [[ -n $pending && -n $named && $valued != *" $pending "* ]]; then
    _jobctl_live value "\${pending#--}"
  elif [[ -n $pending ]]; then
    _jobctl_value "$path:$pending"
  elif [[ -z $after && $prefix == -* ]]; then
    # shellcheck disable=SC2086
    _jobctl_add $options
    if [[ -n $named && -n $first ]]; then _jobctl_live parameter; fi
  elif [[ -n $verbs && -z $after ]]; then
    # shellcheck disable=SC2086
    _jobctl_add $verbs
    _jobctl_word "$path:$count:"
  else
    _jobctl_word "$path:$count:$after"
  fi
}

complete -F _jobctl jobctl
`;
