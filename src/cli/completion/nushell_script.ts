/**
 * The completion of nushell: a command that takes the line apart and asks this program. It is the
 * same for every version, as the program knows its own verbs.
 */
export function nushellScript(): string {
  return SCRIPT;
}

// Nushell gives the words as they are typed. A word that only the shell could expand ends the
// question: nothing on the line is ever evaluated.
const SCRIPT = `# Completion of jobctl for nushell, made by: jobctl completion nushell

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
