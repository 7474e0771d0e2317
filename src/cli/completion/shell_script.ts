import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { usageError } from "../parsing/args.ts";

// Each script sends the line to `jobctl __complete`, and offers the answer; the shell itself knows
// files, users and commands. A script is the same for every version: the program knows its verbs.
// Nothing on the line or from the daemon is ever evaluated.

/** From version 3.2 on. */
const BASH = `# shellcheck shell=bash
# Completion of jobctl for bash, made by: jobctl completion bash

# Nothing that is on the line or comes from the daemon is ever evaluated: the program reads the line,
# and quotes what it offers.
_jobctl() {
  local program=\${COMP_WORDS[0]//[\\\\\\"\\']/} word
  # Only the shell could say which program it is.
  if [[ $program == *[\\$\\\`]* ]]; then program=jobctl; fi
  if [[ \${program:0:2} == \\~/ ]]; then program=$HOME/\${program:2}; fi
  COMPREPLY=()
  while IFS= read -r word; do
    case $word in
    # Bash's own completion of file names also quotes them.
    :file) compopt -o default -o filenames 2>/dev/null ;;
    :folder) compopt -o dirnames -o filenames 2>/dev/null ;;
    :user) _jobctl_names -u "\${2-}" ;;
    :command) _jobctl_names -c "\${2-}" ;;
    *) COMPREPLY[\${#COMPREPLY[@]}]=\${word%%$'\\t'*} ;;
    esac
  done < <(
    printf '%s\\0' "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}" |
      "$program" __complete bash 2>/dev/null
  )
}

# Offers users or commands for a word, which may begin with the option that it is for.
_jobctl_names() {
  local name begun=\${2##*=}
  while IFS= read -r name; do
    printf -v name %q "$name"
    COMPREPLY[\${#COMPREPLY[@]}]=\${2%"$begun"}$name
  done < <(compgen "$1" -- "$begun" | sort -u)
}

complete -F _jobctl jobctl
`;

/** A function for a folder of `fpath`, which can also be sourced. */
const ZSH = `#compdef jobctl
# Completion of jobctl for zsh, made by: jobctl completion zsh

# Nothing that is on the line or comes from the daemon is ever evaluated: the program reads the line,
# and zsh quotes what it offers.
_jobctl() {
  local program=\${(Q)words[1]} line name offer=""
  local -a names
  local -i before=$compstate[nmatches]
  # Only the shell could say which program it is.
  if [[ $program == *[\\$\\\`]* ]]; then program=jobctl; fi
  if [[ $program == \\~/* ]]; then program=$HOME/\${program#\\~/}; fi
  for line in \${(f)"$(printf '%s\\0' "\${(@)words[1,CURRENT-1]}" "$PREFIX" |
    $program __complete zsh 2>/dev/null)"}; do
    # Of a name and what it is, _describe takes a colon for the end of the name.
    name=\${\${\${line%%$'\\t'*}//\\\\/\\\\\\\\}//:/\\\\:}
    case $line in
    (*$'\\t') names+=("$name") ;;
    (*$'\\t'*) names+=("$name:\${line#*$'\\t'}") ;;
    (*) offer=\${line#:} ;;
    esac
  done
  if [[ $PREFIX == --*=* ]]; then
    compset -P '--[^=]#='
  elif [[ $PREFIX == -* ]]; then
    _describe -o -t options option names
    return
  fi
  (( ! $#names )) || _describe -V -t names name names
  case $offer in
  (file) _files ;;
  (folder) _files -/ ;;
  (user) _users ;;
  (command) _command_names -e ;;
  esac
  (( compstate[nmatches] > before ))
}

if [[ $funcstack[1] == _jobctl ]]; then
  _jobctl "$@"
else
  compdef _jobctl jobctl
fi
`;

/** From version 3.0 on. */
const FISH = `# Completion of jobctl for fish, made by: jobctl completion fish

# Nothing that is on the line or comes from the daemon is ever evaluated: the program reads the line,
# and fish quotes what it offers.
function __jobctl_complete
    set -l given (commandline -opc)
    set -l last (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $given[1])
    # Only the shell could say which program it is.
    string match -qr '[$(]' -- $program; and set program jobctl
    set -l head (string match -r '^--[^=]+=' -- "$last")
    set -l value (string replace -r '^--[^=]+=' '' -- "$last")
    for line in (printf '%s\\0' $given "$last" | $program __complete fish 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path "$value"
            case :folder
                __fish_complete_directories "$value" ''
            case :user
                __fish_complete_users
            case :command
                __fish_complete_command
            case '*'
                printf '%s\\n' $line
        end
    end | string replace -r -- '^' "$head"
end

complete -c jobctl -e
complete -c jobctl -k -f -a '(__jobctl_complete)'
`;

// Nushell passes the words as typed. A word that only the shell could expand ends the completion.
const NUSHELL = `# Completion of jobctl for nushell, made by: jobctl completion nushell

# What a word stands for, without its quotes.
def "jobctl-complete word" []: string -> string {
  let text = $in
  let first = ($text | str substring 0..0)
  if $first in ['"' "'" "\`"] { $text | str trim --char $first } else { $text }
}

# How a name is written so that nushell reads it as one word.
def "jobctl-complete quoted" []: string -> string {
  let text = $in
  if $text =~ '^[\\w@%+=:,./-]+$' { $text } else { $text | to json --raw }
}

def "jobctl-complete" [spans: list<string>] {
  let begun = ($spans | drop 1 | where {|each| $each =~ '[$(]' } | is-not-empty)
  if $begun { return null }
  let words = ($spans | each { $in | jobctl-complete word })
  let last = ($words | last)
  let head = (if $last =~ '^--[a-z-]+=' { $last | str replace --regex '=.*' '=' } else { "" })
  let lines = ($words | to json --raw | ^$words.0 __complete line | lines)
  # Files, folders, users and programs: nushell's own completion.
  if ($lines | any {|line| $line starts-with ':' }) and ($lines | length) == 1 { return null }
  $lines | where {|line| not ($line starts-with ':') } | each {|line|
    let parts = ($line | split row --number 2 "\\t")
    { value: $"($head)($parts.0 | jobctl-complete quoted)", description: ($parts | get --optional 1 | default "") }
  }
}

# Other programs keep the completer that is set.
let previous = $env.config.completions.external.completer?
$env.config.completions.external.enable = true
$env.config.completions.external.completer = {|spans|
  if ($spans.0 | path basename) == "jobctl" {
    jobctl-complete $spans
  } else if $previous != null {
    do $previous $spans
  }
}
`;

/** From version 7 on. A word that only the shell could expand ends the completion. */
const POWERSHELL = `# Completion of jobctl for PowerShell, made by: jobctl completion powershell

Register-ArgumentCompleter -Native -CommandName jobctl, jobctl.exe -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @()
  foreach ($element in $commandAst.CommandElements) {
    if ($element.Extent.StartOffset -ge $cursorPosition) { break }
    if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
      $text = $element.Value
    } elseif ($element -is [System.Management.Automation.Language.CommandParameterAst]) {
      $text = $element.Extent.Text
    } elseif ($element -is [System.Management.Automation.Language.ConstantExpressionAst]) {
      $text = $element.Extent.Text
    } else {
      return
    }
    $words += $text
  }
  # After a blank a new word begins.
  if ($wordToComplete -eq '' -or $words.Count -eq 1) { $words += '' }
  $head = ''
  if ($words[-1] -match '^(--[a-z-]+=)') { $head = $Matches[1] }
  $program = $words[0]
  $answer = ConvertTo-Json -Compress -InputObject @($words) | & $program __complete line 2>$null
  foreach ($line in $answer) {
    # Files, folders, users and programs: PowerShell's own completion.
    if ($line.StartsWith(':')) { continue }
    $name, $what = $line -split "\`t", 2
    if (-not $what) { $what = $name }
    $inserted = $name
    if ($name -notmatch '^[\\w@%+=:./-]+$' -or $name.StartsWith('@')) {
      $inserted = "'" + $name.Replace("'", "''") + "'"
    }
    [System.Management.Automation.CompletionResult]::new(
      $head + $inserted, $name, 'ParameterValue', $what)
  }
}
`;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  nushell: NUSHELL,
  powershell: POWERSHELL,
};

/** The shells that have a completion. */
export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

/** The completion of one of {@link SHELLS}. @throws JobError `invalid_argument` */
export function shellScript(shell: string): string {
  if (Object.hasOwn(SCRIPTS, shell)) return SCRIPTS[shell]!;
  throw usageError(
    `Cannot write the completion of "${makeVisible(shell)}": not one of ${SHELLS.join(", ")}`,
    didYouMean(shell, SHELLS) ?? "Name one of these shells",
  );
}
