import { basename } from "node:path";
import { PROTOTYPE_KEYS } from "../../core/text/object_keys.ts";

/** Programs that only prepare, guard or wrap the actual command of a line. */
const WRAPPERS = new Set(
  ("! sleep export set umask ulimit if then fi else { } ( ) exec env nice ionice chrt flock " +
    "timeout chronic sudo su do done while nohup setsid time command eval . source ifne")
    .split(" "),
);
/** Programs that do not reveal the purpose of a line if it has another one. */
const MINOR = new Set(
  "for test [ [[ cd exit return true false : mkdir touch date echo printf".split(" "),
);
/** Programs that run a script. */
const INTERPRETERS = /^(?:ba|da|z|k)?sh$|^(?:python|php|perl|ruby|node|deno|bun)[\d.]*$/;
/** A line that sleeps for a random time first. */
const SLEEPER = /\b(?:rand|sleep|RANDOM)\b/;
/** A redirection with its file: `> /dev/null`, `2>&1`, `&>> "my file"`. */
const REDIRECTION =
  /(?:(?<=^|\s)\d+|&)?(?:<{1,3}|>{1,2}\|?)&?[ \t]*(?:"[^"]*"|'[^']*'|[^\s;|&<>()"'])+/g;
const NAME_LENGTH_MAX = 60;

/** A text as part of a kind: letters, digits, `_` and `-`. */
export function kindPart(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]+/g, "-").replaceAll(/^[-_]+|-+$/g, "");
}

function namePart(text: string): string {
  return kindPart(basename(text).replace(/\.(?:sh|py|php|pl|rb|js|ts|bash)$/, ""));
}

/** The words of one simple command, without quotes; enough to name it. */
function wordsOf(command: string): string[] {
  return (command.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [])
    .map((word) => word.replaceAll(/["']/g, ""));
}

function isOption(word: string): boolean {
  return /^[-+<>&|\d]/.test(word) || word.includes("=");
}

function nameCommand(command: string): string | null {
  let words = wordsOf(command);
  while (words.length > 0) {
    const [word = "", ...rest] = words;
    const program = basename(word);
    if (MINOR.has(program)) return null;
    if (!isOption(word) && !WRAPPERS.has(program) && /^[./~$\w{}-]+$/.test(word)) break;
    // The lock file is an argument of the wrapper, not the program.
    words = program === "flock" ? rest.filter((one) => !isOption(one)).slice(1) : rest;
  }
  const [word = "", ...rest] = words;
  const program = namePart(word);
  if (program === "") return null;
  const argument = rest.find((one) => !isOption(one));
  if (program === "run-parts" && argument !== undefined) return namePart(argument);
  if (INTERPRETERS.test(basename(word))) {
    const isCode = argument === undefined || /\s/.test(argument) ||
      (argument !== rest[0] && /^-[ce]/.test(rest[0] ?? ""));
    if (!isCode) return namePart(argument) || program;
    return SLEEPER.test(command) ? null : program;
  }
  const verb = rest[0] !== undefined && /^[a-z][a-z-]{2,20}$/.test(rest[0]) ? `-${rest[0]}` : "";
  return `${program}${verb}`;
}

/** A name for a command line: its first program that is more than a wrapper or a check. */
export function nameLine(command: string): string {
  // Quoted text does not separate commands, and files of redirections are not commands.
  const flat = command.replaceAll(
    /'[^']*'|"[^"]*"/g,
    (quoted) => quoted.replaceAll(/[&|;(){}<>\n]/g, " "),
  ).replaceAll(REDIRECTION, " ");
  for (const part of flat.split(/&&|\|\||[;|&\n(){}]/)) {
    const name = nameCommand(part.trim());
    if (name !== null && /^[A-Za-z0-9]/.test(name)) return name.slice(0, NAME_LENGTH_MAX);
  }
  const first = namePart(wordsOf(flat)[0] ?? "");
  return /^[A-Za-z0-9]/.test(first) ? first.slice(0, NAME_LENGTH_MAX) : "job";
}

/** Makes names unique and valid in a configuration: the second `backup` becomes `backup-2`. */
export class KindNames {
  readonly #taken = new Set<string>();

  take(name: string): string {
    let kind = name;
    for (let count = 2; this.#taken.has(kind) || PROTOTYPE_KEYS.has(kind); count++) {
      kind = `${name}-${count}`;
    }
    this.#taken.add(kind);
    return kind;
  }
}
