import { basename } from "node:path";

// The lines of a crontab as cronie's env.c, entry.c and do_command.c take them apart.

/** Something to tell about a line; a loss when what cron does is not carried over. */
export interface ImportNote {
  readonly file: string;
  /** 1 for the first; null when it is about the file. */
  readonly line: number | null;
  readonly text: string;
  readonly isLoss: boolean;
}

/** One line that runs a command. */
export interface CrontabLine {
  readonly file: string;
  readonly line: number;
  /** As written, without blanks around it. */
  readonly text: string;
  /** Five fields with single blanks, or a nickname with its `@`. */
  readonly schedule: string;
  /** The user column of a system crontab. */
  readonly user: string | null;
  readonly command: string;
  /** What follows the first `%`; null when there is none. */
  readonly stdin: string | null;
  /** The assignments above it. */
  readonly env: Readonly<Record<string, string>>;
  /** The comment right above it, in one line. */
  readonly comment: string | null;
}

/** A crontab, read. */
export interface Crontab {
  readonly lines: readonly CrontabLine[];
  readonly notes: readonly ImportNote[];
}

/** Longest description made of comments, in characters. */
const COMMENT_LENGTH_MAX = 200;
/** Variables that tell cron itself something about mail. */
const MAIL_VARIABLES = ["MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"];

/**
 * An assignment as cronie's load_env() reads it: quotes around name and value, blanks around `=`.
 *
 * @returns null when the line is none
 */
export function readAssignment(text: string): readonly [name: string, value: string] | null {
  const match = /^(?:"([^"=]*)"|'([^'=]*)'|([^\s=]+))\s*=\s*(.*)$/.exec(text.trim());
  if (match === null) return null;
  const name = match[1] ?? match[2] ?? match[3]!;
  const value = match[4]!;
  const quote = /^["']/.exec(value)?.[0];
  if (quote === undefined) return [name, value];
  const end = value.indexOf(quote, 1);
  // A quote that is not closed, or something behind it, makes it no assignment.
  return end === value.length - 1 && end > 0 ? [name, value.slice(1, -1)] : null;
}

/** A command line as cron takes it apart: `%` ends the command and is a newline behind it, `\%` is a percent sign. */
export function splitCommand(
  text: string,
): { readonly command: string; readonly stdin: string | null } {
  const parts = text.split(/(?<!\\)%/);
  const [command, ...input] = parts.map((part) => part.replaceAll("\\%", "%"));
  if (input.length === 0) return { command: command!, stdin: null };
  const stdin = input.join("\n");
  return { command: command!, stdin: stdin === "" || stdin.endsWith("\n") ? stdin : `${stdin}\n` };
}

// Drawings and headers that stand above the lines of many crontabs say nothing about them.
function isDecoration(comment: string): boolean {
  return /^[\s|.*+=_-]*$/.test(comment) || /^[|.\s-]*\b(m|min|minute)\b.*\bh/i.test(comment) ||
    /\|/.test(comment) || /^Example of job definition/i.test(comment);
}

function isDisabledLine(comment: string): boolean {
  return /^(@\w+\s|([\d*][\d*,/~-]*\s+){2})/.test(comment);
}

function joinComments(comments: readonly string[]): string | null {
  const texts = comments.map((text) => text.replace(/^#+\s*/, "").trim());
  if (texts.some(isDecoration)) return null;
  const joined = texts.filter((text) => !isDisabledLine(text)).join(" ")
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\x00-\x1f\x7f]+/g, " ").trim();
  return joined === "" ? null : joined.slice(0, COMMENT_LENGTH_MAX);
}

class Reader {
  readonly lines: CrontabLine[] = [];
  readonly notes: ImportNote[] = [];
  readonly #file: string;
  readonly #isSystem: boolean;
  #line = 0;
  #env: Record<string, string> = {};
  #comments: string[] = [];

  constructor(file: string, isSystem: boolean) {
    this.#file = file;
    this.#isSystem = isSystem;
  }

  read(text: string): void {
    const content = text.replace(/^\uFEFF/, "");
    if (/\r\n/.test(content)) {
      this.#fileNote(
        "lines end with CR LF: the CR is left out, cron would pass it to the commands",
      );
    }
    for (const line of content.split("\n")) {
      this.#line += 1;
      this.#readLine(line.replace(/\r$/, "").replace(/^[ \t]+/, ""));
    }
  }

  #readLine(text: string): void {
    if (text.trim() === "") {
      this.#comments = [];
    } else if (text.startsWith("#")) {
      this.#comments.push(text);
    } else {
      const assignment = readAssignment(text);
      if (assignment === null) this.#readEntry(text);
      else this.#assign(...assignment);
      this.#comments = [];
    }
  }

  #assign(name: string, value: string): void {
    if (MAIL_VARIABLES.includes(name)) {
      if (value === "" || name !== "MAILTO") return;
      this.#note(
        `MAILTO=${value} is not carried: jobctl sends no mail, it keeps output and outcome`,
      );
    } else if (name === "LOGNAME" || name === "USER") {
      this.#remark(`${name}=${value} is left out: cron itself sets it to the user of the job`);
    } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      this.#note(`the variable "${name}" is not carried: a name has letters, digits and "_"`);
    } else {
      this.#env = { ...this.#env, [name]: value };
    }
  }

  #readEntry(text: string): void {
    const rest = text.replace(/^-(?=[\d*@~])/, "");
    const match = /^(@\S+|\S+(?:[ \t]+\S+){4})[ \t]+(\S.*)$/.exec(rest);
    if (match === null) {
      return this.#note(`cannot read "${text.slice(0, 80)}": cron wants five fields and a command`);
    }
    const schedule = match[1]!.split(/[ \t]+/).join(" ");
    let command = match[2]!;
    let user: string | null = null;
    if (this.#isSystem) {
      const column = /^(\S+)[ \t]+(\S.*)$/.exec(command);
      if (column === null) {
        return this.#note(`cannot read "${text.slice(0, 80)}": a user and a command are wanted`);
      }
      [user, command] = [column[1]!, column[2]!];
    }
    const option = /^-n[ \t]+(.*)$/.exec(command);
    if (option !== null) command = option[1]!;
    const split = splitCommand(command);
    if (split.command.trim() === "") {
      return this.#note(`there is no command before the "%": the line is left out`);
    }
    this.lines.push({
      file: this.#file,
      line: this.#line,
      text: text.trim(),
      schedule,
      user,
      command: split.command.trim(),
      stdin: split.stdin,
      env: this.#env,
      comment: joinComments(this.#comments),
    });
  }

  #note(text: string): void {
    this.notes.push({ file: this.#file, line: this.#line, text, isLoss: true });
  }

  #remark(text: string): void {
    this.notes.push({ file: this.#file, line: this.#line, text, isLoss: false });
  }

  #fileNote(text: string): void {
    this.notes.push({ file: this.#file, line: null, text, isLoss: false });
  }
}

/**
 * Read a crontab; what cannot be read becomes a note.
 *
 * @param options.isSystem whether a user stands before each command, as in /etc/crontab
 */
export function readCrontab(
  text: string,
  options: { readonly file: string; readonly isSystem: boolean },
): Crontab {
  const reader = new Reader(options.file, options.isSystem);
  reader.read(text);
  return reader;
}

/** Whether run-parts, and so cron on Debian, takes a file of this name. */
export function isRunPartsName(path: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(basename(path));
}
