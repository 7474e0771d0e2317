import { JobError } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";

// Reads ExecStart= as in systemd.service(5): words, quotes, escapes, specifiers and variables.

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
  ";": ";",
};

/** Split a value into words at blanks outside quotes. Backslashes escape as in C. */
export function splitUnitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char === "\\" && index + 1 < text.length) {
      const hex = /^x([0-9A-Fa-f]{2})/.exec(text.slice(index + 1));
      const next = text[index + 1]!;
      word = (word ?? "") +
        (hex === null ? ESCAPES[next] ?? `\\${next}` : String.fromCharCode(parseInt(hex[1]!, 16)));
      index += hex === null ? 1 : 3;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? "") + char;
  }
  if (quote !== "") throw refuse(text, `the quote ${quote} is not closed`);
  if (word !== null) words.push(word);
  return words;
}

function refuse(text: string, reason: string): JobError {
  return new JobError("invalid_argument", `Cannot convert "${text.slice(0, 80)}": ${reason}`);
}

/** Values of specifiers such as `%i`. */
export type Specifiers = Readonly<Record<string, string>>;

/** Fill in specifiers; `%%` is a percent sign. @throws JobError for an unknown one */
export function fillSpecifiers(text: string, specifiers: Specifiers): string {
  return text.replaceAll(/%(.?)/g, (_whole, letter: string) => {
    if (letter === "%") return "%";
    const value = specifiers[letter];
    if (value === undefined) {
      throw refuse(text, `the value of %${letter} is known only at run time`);
    }
    return value;
  });
}

/** One command of a unit. */
export interface UnitCommand {
  /** Null if it has variables, and so needs a shell. */
  readonly argv: readonly string[] | null;
  /** As a line for the shell. */
  readonly line: string;
  /** `-`: its failure is ignored. */
  readonly isFailureIgnored: boolean;
  /** `+` or `!`: it runs with all privileges, despite User=. */
  readonly isPrivileged: boolean;
}

// `$$` is a dollar sign. ${NAME} may be part of a word; $NAME is a whole word, split at blanks.
function shellVersion(word: string): string {
  if (/^\$[A-Za-z_]\w*$/.test(word)) return word;
  const parts = word.split(/(\$\$|\$\{[A-Za-z_]\w*\})/).filter((part) => part !== "");
  return parts.map((part) =>
    part === "$$" ? `'$'` : part.startsWith("${") ? `"${part}"` : shellWord(part)
  ).join("") || "''";
}

function hasVariable(word: string): boolean {
  return /\$\{[A-Za-z_]\w*\}/.test(word.replaceAll("$$", "")) || /^\$[A-Za-z_]\w*$/.test(word);
}

/** With `@` the second word is the program's name (argv[0]), which only bash can set. */
function renamed([program, name = "", ...rest]: readonly string[]): string[] {
  if (name === program) return [program!, ...rest];
  return ["/bin/bash", "-c", 'exec -a "$0" "$@"', name, program!, ...rest];
}

/** The value of an Exec…= key. @throws JobError `invalid_argument` if it cannot be carried over */
export function readUnitCommand(text: string, specifiers: Specifiers): UnitCommand[] {
  const words = splitUnitWords(text).map((word) => fillSpecifiers(word, specifiers));
  const commands: UnitCommand[] = [];
  let rest = words;
  while (rest.length > 0) {
    const end = rest.indexOf(";");
    const own = end < 0 ? rest : rest.slice(0, end);
    rest = end < 0 ? [] : rest.slice(end + 1);
    const prefix = /^[-@:+!|]*/.exec(own[0] ?? "")![0];
    let argv = [(own[0] ?? "").slice(prefix.length), ...own.slice(1)];
    if (prefix.includes("@")) argv = renamed(argv);
    if (argv[0] === "") throw refuse(text, "there is no program");
    const isLiteral = prefix.includes(":");
    const needsShell = !isLiteral && argv.some(hasVariable);
    const plain = isLiteral ? argv : argv.map((word) => word.replaceAll("$$", () => "$"));
    commands.push({
      argv: needsShell ? null : plain,
      line: (needsShell ? argv.map(shellVersion) : plain.map(shellWord)).join(" "),
      isFailureIgnored: prefix.includes("-"),
      isPrivileged: /[+!]/.test(prefix),
    });
  }
  return commands;
}
