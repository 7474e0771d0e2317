import type { Answer, Choice, LineTable } from "./line_table.ts";

/** The completion of fish, from version 3.0 on. */
export function fishScript(table: LineTable): string {
  return SCRIPT.replace("@VALUED@", () => table.valued.join(" "))
    .replace("@CONNECTION@", () => table.connection.join(" "))
    .replace("@NAMED@", () => namedPaths(table).join(" "))
    .replace("@VERBS@", () => verbLines(table).join("\n"))
    .replace("@CHOICES@", () => choiceLines(table).join("\n"))
    .replace("@SHARED@", () => sharedLines(table).join("\n"))
    .replace("@OPTIONS@", () => optionLines(table).join("\n"))
    .replace("@WORDS@", () => wordLines(table).join("\n"));
}

/** The verbs that take arguments by name. */
function namedPaths({ places }: LineTable): string[] {
  return places.filter(({ takesNamed }) => takesNamed).map(({ path }) => `'${path}'`);
}

function verbLines({ places }: LineTable): string[] {
  return places.filter(({ verbs }) => verbs.length > 0)
    .flatMap(({ path, verbs }) => [`        case '${path}'`, ...printed(verbs, 12)]);
}

function choiceLines({ places }: LineTable): string[] {
  return places.flatMap(({ path, options, shared }) => [
    `        case '${path}'`,
    ...printed(options, 12),
    ...shared.map((name) => `            __jobctl_shared ${name}`),
  ]);
}

function sharedLines({ shared }: LineTable): string[] {
  return Object.entries(shared)
    .flatMap(([name, choices]) => [`        case ${name}`, ...printed(choices, 12)]);
}

function printed(choices: readonly Choice[], indent: number): string[] {
  if (choices.length === 0) return [];
  const blank = " ".repeat(indent);
  return [
    [
      `${blank}printf '%s\\t%s\\n'`,
      ...choices.map(({ text, describe }) => `${blank}    ${text} ${quoted(describe)}`),
    ].join(" \\\n"),
  ];
}

/** A text in single quotes, in which fish knows two escapes. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function optionLines({ answers }: LineTable): string[] {
  return answers.flatMap((answer) => {
    const paths = answer.paths ?? ["*"];
    const patterns = answer.names.flatMap((name) => paths.map((path) => `'${path}:${name}'`));
    return [`        case ${patterns.join(" ")}`, ...callsOf(answer)];
  });
}

function wordLines({ places }: LineTable): string[] {
  return places.flatMap(({ path, words }) =>
    words.flatMap((word, index) => {
      const after = word.isBeforeDashes ? "" : "*";
      return [`        case '${path}:${word.isRest ? "*" : index}:${after}'`, ...callsOf(word)];
    })
  );
}

function callsOf({ offer, words }: Answer): string[] {
  return [
    ...(words.length > 0 ? [`printf '%s\\n' ${words.join(" ")}`] : []),
    ...(offer === null ? [] : [callOf(offer)]),
  ].map((line) => `            ${line}`);
}

function callOf(offer: NonNullable<Answer["offer"]>): string {
  switch (offer) {
    case "file":
      return "__fish_complete_path $value";
    case "folder":
      return "__fish_complete_directories $value ''";
    case "user":
      return "__fish_complete_users";
    case "command":
      return "__jobctl_command";
    case "argument":
      return "__jobctl_live argument (math $count - 1)";
    default:
      return `__jobctl_live ${offer}`;
  }
}

// As bash_script.ts. What the daemon says is never evaluated: fish quotes what it inserts. A
// function of fish sees the variables of its caller only without --local scope, hence
// --no-scope-shadowing.
const SCRIPT = `# Completion of jobctl for fish, made by: jobctl completion fish

# Prints names that the daemon knows, each with what it is.
function __jobctl_live --no-scope-shadowing
    if test -z "$doubt"
        set -l prefix $value
        # Quotes of the line are no part of the name; fish selects what matches.
        string match -qr '^[\\\\w.:@+/,-]*$' -- "$value"; or set prefix ''
        printf '%s\\n' $connection |
            $program __complete $argv[1] "$prefix" "$first" "$argv[2]" 2>/dev/null
    end
end

# A program, then its arguments.
function __jobctl_command --no-scope-shadowing
    if test "$after" = 0
        __fish_complete_command
    else
        __fish_complete_path $value
    end
end

# Prints the verbs that may come at a place of the line.
function __jobctl_verbs
    switch $argv[1]
@VERBS@
    end
end

function __jobctl_shared
    switch $argv[1]
@SHARED@
    end
end

function __jobctl_options
    switch $argv[1]
@CHOICES@
    end
end

function __jobctl_value --no-scope-shadowing
    switch $argv[1]
@OPTIONS@
    end
end

function __jobctl_word --no-scope-shadowing
    switch $argv[1]
@WORDS@
    end
end

function __jobctl_complete
    set -l valued @VALUED@
    set -l connected @CONNECTION@
    set -l named @NAMED@
    set -l given (commandline -opc)
    set -l value (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $given[1])
    set -l connection
    set -l path ''
    set -l first ''
    set -l after ''
    set -l pending ''
    set -l doubt ''
    set -l count 0
    set -l verbs (__jobctl_verbs '' | string replace -r '\\t.*' '')
    # Only the shell could say what is meant.
    string match -qr '[$(]' -- $program; and set doubt 1
    set -l index 0
    for word in $given[2..-1]
        set index (math $index + 1)
        # A parameter of a job has no value if another option comes after it.
        if string match -q -- '-*' "$word"; and not contains -- "$pending" $valued
            set pending ''
        end
        if test -n "$pending"
            set word "$pending=$word"
            set pending ''
        else if test -n "$after"
            set after (math $after + 1)
            set count (math $count + 1)
            continue
        else if test "$word" = --
            set after 0
            continue
        else if contains -- "$word" $valued
            set pending $word
            continue
        else if contains -- "$path" $named; and string match -qr '^--[^=]+$' -- "$word"
            if not contains -- "$word" (__jobctl_options $path | string replace -r '\\t.*' '')
                set pending $word
                continue
            end
        end
        if test "$word" = help -a $index = 1
            continue
        end
        if string match -q -- '-*' "$word"
            if contains -- (string replace -r '=.*' '' -- $word) $connected
                set -a connection $word
                string match -qr '[$(]' -- $word; and set doubt 1
            end
        else if contains -- "$word" $verbs
            set path (string trim -- "$path $word")
            set verbs (__jobctl_verbs $path | string replace -r '\\t.*' '')
        else if set -q verbs[1]
            return
        else
            test -n "$first"; or set first $word
            set count (math $count + 1)
        end
    end
    set -l head ''
    if string match -q -- '-*' $value; and not contains -- "$pending" $valued
        set pending ''
    end
    if test -z "$pending" -a -z "$after"; and string match -qr '^--[a-z-]+=' -- $value
        set pending (string replace -r '=.*' '' -- $value)
        set head "$pending="
        set value (string replace -r '^[^=]*=' '' -- $value)
    end
    if test -n "$pending"; and contains -- "$path" $named; and not contains -- "$pending" $valued
        __jobctl_live value (string replace -r '^--' '' -- $pending) |
            string replace -r -- '^' "$head"
    else if test -n "$pending"
        __jobctl_value "$path:$pending" | string replace -r -- '^' "$head"
    else if test -z "$after"; and string match -q -- '-*' $value
        __jobctl_options $path
        if contains -- "$path" $named; and test -n "$first"
            __jobctl_live parameter
        end
    else if test -z "$after"; and set -q verbs[1]
        __jobctl_verbs $path
        __jobctl_word "$path:$count:"
    else
        __jobctl_word "$path:$count:$after"
    end
end

complete -c jobctl -e
complete -c jobctl -k -f -a '(__jobctl_complete)'
`;
