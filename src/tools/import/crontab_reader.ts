import { countText } from "../../core/text/count_text.ts";
import { isJobError } from "../../core/errors.ts";
import { joinComments, readAssignment, splitCommand, variableProblem } from "./crontab_lines.ts";
import { type Dialect, DIALECT_RULES, type DialectRules } from "./dialect.ts";
import { readLineSchedule } from "./line_schedule.ts";
import { readSupercronicLine } from "./supercronic_fields.ts";

// Reads crontabs like cronie's env.c, entry.c and do_command.c, with other daemons' differences.

/** A note about a line. It is a loss if a part of cron's behavior is not carried over. */
export interface ImportNote {
  readonly file: string;
  /** 1 for the first; null if it is about the file. */
  readonly line: number | null;
  readonly text: string;
  readonly isLoss: boolean;
}

/** A note about a whole file. */
export function fileNote(file: string, text: string, isLoss: boolean): ImportNote {
  return { file, line: null, text, isLoss };
}

/** One line that runs a command. */
export interface CrontabLine {
  readonly file: string;
  readonly line: number;
  /** As written, trimmed. */
  readonly text: string;
  /** Five fields with single blanks, or a nickname with its `@`, as written. */
  readonly fields: string;
  /** The same runs, in the syntax of the product. */
  readonly schedule: string;
  /** The user column of a system crontab. */
  readonly user: string | null;
  readonly command: string;
  /** The text after the first `%`; null without one. */
  readonly stdin: string | null;
  /** The assignments that apply to it. */
  readonly env: Readonly<Record<string, string>>;
  /** MAILTO as it applies to it; absent if it is not set. */
  readonly mailTo?: string;
  /** The comment right above it, in one line. */
  readonly comment: string | null;
  /** The name of a job of an anacrontab. */
  readonly anacronId?: string;
}

/** The content of a crontab. */
export interface Crontab {
  readonly lines: readonly CrontabLine[];
  readonly notes: readonly ImportNote[];
  /** Number of omitted lines with a command. */
  readonly leftOut: number;
}

/** Settings for reading a crontab. */
export interface ReadOptions {
  readonly file: string;
  /** True if each command has a user before it, as in /etc/crontab. */
  readonly isSystem: boolean;
  /** The user whose crontab it is; null if unknown. */
  readonly owner?: string | null;
  readonly dialect: Dialect;
  /** True if a user exists on this host; absent to accept any. */
  readonly isAccount?: ((name: string) => boolean) | undefined;
  /** True if it is a copy of another host's file, whose users may be missing here. */
  readonly isCopy?: boolean;
}

type LineParts = Pick<CrontabLine, "fields" | "schedule" | "user" | "command" | "stdin">;

/** Reason for omitting a line. */
class LeftOut extends Error {
  /** True if the daemon reports an error; else it runs something unintended, or nothing. */
  readonly isRefused: boolean;

  constructor(text: string, isRefused: boolean) {
    super(text);
    this.isRefused = isRefused;
  }
}

/** Variables that busybox crond knows. */
const FEW_VARIABLES = /^(SHELL|PATH|MAILTO)=(\S*)/;
const BYTE_ORDER_MARK = "\uFEFF";
/** A word that looks like a sixth field. No program has this form of name. */
const FIELD = /^[\d*][\d*,/-]*$/;
/** A word that cannot be an account's name: a path, or the beginning of a command. */
const NO_ACCOUNT = /[/$`"'(){}\[\]<>=|&;:,*?!~%]|^[-.+]/;
const SHOWN_MAX = 80;

class Reader {
  readonly lines: CrontabLine[] = [];
  readonly notes: ImportNote[] = [];
  leftOut = 0;
  readonly #options: ReadOptions;
  readonly #rules: DialectRules;
  #line = 0;
  #env: Record<string, string> = {};
  #mailTo: string | undefined;
  #comments: string[] = [];
  #hasRefused = false;
  /** True once a CR at the end of a line was reported. */
  #hasNotedCr = false;
  #hasNotedBlankCr = false;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#rules = DIALECT_RULES[options.dialect];
  }

  read(text: string): void {
    const lines = text.split("\n");
    if (lines.length - 1 > this.#rules.linesMax) this.#refuseTooLong();
    for (const [index, line] of lines.entries()) {
      this.#line = index + 1;
      const isUnended = index === lines.length - 1;
      if (index === 0 && line.startsWith(BYTE_ORDER_MARK)) {
        this.leftOut += 1;
        this.#refuse(
          "cron refuses this line: it begins with a byte order mark (save the file without one)",
        );
      } else this.#readLine(line, isUnended);
    }
    if (this.#rules.variables === "file") this.#spreadVariables();
    if (this.#hasRefused && this.#rules.fileRefusal !== null) this.#leaveOutFile();
  }

  #refuseTooLong(): void {
    this.#line = this.#rules.linesMax + 1;
    this.#refuse(`cron refuses a file of more than ${this.#rules.linesMax} lines`);
  }

  /** The last value of each variable applies to all lines of the crontab. */
  #spreadVariables(): void {
    const shared = { env: this.#env, ...this.#mail() };
    for (const [index, line] of this.lines.entries()) this.lines[index] = { ...line, ...shared };
  }

  #leaveOutFile(): void {
    const count = this.lines.length;
    this.lines.length = 0;
    this.leftOut += count;
    const others = count === 0 ? "" : ` with the ${countText(count, "line")} that can be read`;
    const remedy = "correct it, or read it as another cron's (--dialect)";
    this.#add(`left out${others}: ${this.#rules.fileRefusal}; ${remedy}`, true, null);
  }

  #readLine(line: string, isUnended: boolean): void {
    const hasCr = line.endsWith("\r");
    const text = line.replace(/\r$/, "").replace(/^[ \t]+/, "");
    if (text.trim() === "") {
      if (hasCr) this.#noteBlankCr();
      this.#comments = [];
    } else if (text.startsWith("#")) {
      this.#comments.push(text);
    } else {
      if (isUnended && this.#rules.wantsLastNewline) {
        this.leftOut += 1;
        this.#refuse("left out, cron refuses it too: the last line does not end with a newline");
      } else this.#readContent(text, hasCr);
      this.#comments = [];
    }
  }

  #readContent(text: string, hasCr: boolean): void {
    const assignment = this.#rules.variables === "few"
      ? FEW_VARIABLES.exec(text)?.slice(1) as [string, string] | undefined
      : readAssignment(text);
    if (assignment) return this.#assign(...assignment);
    if (this.#rules.variables === "few" && /^[A-Za-z_]\w*\s*=/.test(text)) {
      return this.#remark(`busybox crond knows only SHELL, PATH and MAILTO: left out here too`);
    }
    if (hasCr && this.#rules.keepsCr && !this.#hasNotedCr) {
      this.#hasNotedCr = true;
      const text = "lines end with CR LF: cron passes the CR to the commands, here it is left out";
      this.#add(text, true, null);
    }
    this.#readEntry(text);
  }

  #noteBlankCr(): void {
    const { keepsCr, wantsLastNewline } = this.#rules;
    if (this.#hasNotedBlankCr || !keepsCr || !wantsLastNewline) return;
    this.#hasNotedBlankCr = true;
    this.#refuse("cron refuses a blank line that ends with CR LF: bad minute");
  }

  #assign(name: string, given: string): void {
    // Debian's cron drops blanks at the end of a value, also within quotes.
    const value = this.#options.dialect === "debian" ? given.trimEnd() : given;
    if (name === "MAILTO") {
      // busybox crond treats an empty one as absent, and does not pass it on.
      if (this.#rules.variables === "few") {
        this.#mailTo = value === "" ? undefined : value;
        return;
      }
      this.#mailTo = value;
    }
    // Debian's cron leaves USER to the crontab.
    const problem = variableProblem(name);
    const isOfCron = name === "LOGNAME" || name === "USER" && this.#options.dialect !== "debian";
    if (isOfCron) {
      this.#remark(`${name}=${value} is left out: cron itself sets it to the user of the job`);
    } else if (problem !== null) this.#note(problem);
    else {
      this.#noteVariable(name, value);
      // Commands see it even if it is meant for cron itself.
      this.#env = { ...this.#env, [name]: value };
    }
  }

  #mail(): Pick<CrontabLine, "mailTo"> {
    return this.#mailTo === undefined ? {} : { mailTo: this.#mailTo };
  }

  #noteVariable(name: string, value: string): void {
    const { program, hasZone, hasDelay } = this.#rules;
    const isUnknown = name === "CRON_TZ" && !hasZone || name === "RANDOM_DELAY" && !hasDelay;
    if (!isUnknown) return;
    const what = name === "CRON_TZ" ? "runs follow the host's zone" : "nothing is delayed";
    this.#remark(`${program} only sets ${name}=${value} for the commands: ${what}`);
  }

  #readEntry(text: string): void {
    try {
      const parts = this.#options.dialect === "supercronic"
        ? this.#supercronicParts(text)
        : this.#cronParts(text, this.#options.dialect);
      this.lines.push({
        ...parts,
        file: this.#options.file,
        line: this.#line,
        text: text.trim(),
        env: this.#env,
        ...this.#mail(),
        comment: joinComments(this.#comments),
      });
    } catch (error) {
      if (!(error instanceof LeftOut)) throw error;
      this.leftOut += 1;
      if (error.isRefused) this.#refuse(error.message);
      else this.#note(error.message);
    }
  }

  #supercronicParts(text: string): LineParts {
    const line = readSupercronicLine(text);
    if (line === null) throw new LeftOut(`cannot read ${shown(text)}: bad crontab line`, true);
    const { fields, schedule, command, problem } = line;
    if (schedule === null) throw new LeftOut(`left out: ${problem}`, false);
    return { fields, schedule, user: null, command: command.trim(), stdin: null };
  }

  #cronParts(text: string, dialect: Exclude<Dialect, "supercronic">): LineParts {
    const match = /^(@\S+|\S+(?:[ \t]+\S+){4})[ \t]+(\S.*)$/.exec(this.#withoutMark(text));
    if (match === null) {
      const problem = "cron expects five fields and a command";
      throw new LeftOut(`cannot read ${shown(text)}: ${problem}`, dialect !== "busybox");
    }
    const fields = match[1]!.split(/[ \t]+/).join(" ");
    const { schedule, remark } = this.#schedule(fields, dialect);
    if (!fields.startsWith("@")) this.#checkCount(match[2]!, dialect);
    const [user, command] = this.#splitUser(match[2]!, text, dialect);
    if (schedule === null) {
      throw new LeftOut(
        `left out, because cron accepts it but never runs it: ${remark ?? fields}`,
        false,
      );
    }
    if (remark !== null) this.#remark(remark);
    return { fields, schedule, user, ...this.#command(command) };
  }

  /** In cronie, "-" before a line turns off logging. Only root may write it. */
  #withoutMark(text: string): string {
    if (!this.#rules.hasOptions || !text.startsWith("-")) return text;
    const { isSystem, owner = null } = this.#options;
    if (isSystem || owner === null || owner === "root") return text.slice(1);
    throw new LeftOut(`left out, cron refuses it too: "-" is only for root's crontab`, true);
  }

  #schedule(fields: string, dialect: Exclude<Dialect, "supercronic">) {
    try {
      return readLineSchedule(fields, dialect);
    } catch (error) {
      if (!isJobError(error)) throw error;
      throw new LeftOut(`left out, cron refuses it too: ${error.message}`, true);
    }
  }

  /** With six or seven fields, cron would take the sixth for a user or a program. */
  #checkCount(rest: string, dialect: Dialect): void {
    const words = rest.split(/[ \t]+/);
    const count = 5 + words.slice(0, 2).filter((word) => FIELD.test(word)).length;
    const [next = ""] = words;
    if (!FIELD.test(next)) return;
    const { isSystem } = this.#options;
    const role = isSystem ? "the user" : "the program";
    throw new LeftOut(
      `left out: it has ${count} fields and cron has five, so cron takes "${next}" for ${role}`,
      dialect !== "busybox" && (next.startsWith("*") || isSystem),
    );
  }

  #splitUser(rest: string, text: string, dialect: Dialect): readonly [string | null, string] {
    if (!this.#options.isSystem) return [null, rest];
    const [, user = rest, command] = /^(\S+)[ \t]+(\S.*)$/.exec(rest) ?? [];
    const isRefused = dialect !== "busybox";
    const taken = `cron takes "${user.slice(0, SHOWN_MAX)}" for the user`;
    if (NO_ACCOUNT.test(user)) {
      const problem = `the user before the command is missing, so ${taken} (bad username)`;
      throw new LeftOut(`cannot read ${shown(text)}: ${problem}`, isRefused);
    }
    if (command === undefined) {
      const problem = `expected a user and a command, and ${taken}`;
      throw new LeftOut(`cannot read ${shown(text)}: ${problem}`, isRefused);
    }
    if (this.#options.isAccount?.(user) === false && this.#options.isCopy) {
      this.#remark(`the user "${user}" is missing here: the job does not run until there is one`);
    } else if (this.#options.isAccount?.(user) === false) {
      const problem = `there is no user "${user}"; a user is expected before the command`;
      throw new LeftOut(`left out, cron refuses it too (bad username): ${problem}`, isRefused);
    }
    return [user, command];
  }

  #command(text: string): { readonly command: string; readonly stdin: string | null } {
    const { hasPercent, commandMax, program } = this.#rules;
    let command = this.#withoutOptions(this.#cutAtHash(text));
    if (command.length > commandMax) {
      this.#note(`${program} cuts the command to ${commandMax} characters: here it is not cut`);
    }
    let stdin: string | null = null;
    if (hasPercent) {
      const isDebian = this.#options.dialect === "debian";
      if (isDebian && command.includes("\\\\")) {
        this.#remark(
          `Debian's cron turns two backslashes in a command into one, and so does the job`,
        );
      }
      ({ command, stdin } = splitCommand(command, isDebian));
    }
    if (command.trim() === "") {
      throw new LeftOut(`there is no command before the "%": the line is left out`, false);
    }
    if (stdin !== null) {
      const end = command.trimEnd().slice(-30);
      this.#remark(`"%" ends the command after "${end}", the rest is its input; "\\%" is a "%"`);
    }
    return { command: command.trim(), stdin };
  }

  #withoutOptions(command: string): string {
    if (!command.startsWith("-")) return command;
    const option = /^-n[ \t]+([^-].*)$/.exec(command);
    if (this.#rules.hasOptions && option !== null) return option[1]!;
    const word = command.split(/[ \t]/, 1)[0]!;
    if (this.#rules.hasOptions) {
      throw new LeftOut(`left out, cron refuses it too: bad option "${word}"`, true);
    }
    throw new LeftOut(`left out: ${this.#rules.program} runs a program named "${word}"`, false);
  }

  #cutAtHash(command: string): string {
    if (this.#options.dialect !== "busybox" || !command.includes("#")) return command;
    this.#remark(`busybox crond cuts the line at "#", also in a command`);
    return command.slice(0, command.indexOf("#"));
  }

  /** Text that the daemon reports as an error. */
  #refuse(text: string): void {
    this.#hasRefused = true;
    this.#note(text);
  }

  /** A part that is not carried over. */
  #note(text: string): void {
    this.#add(text, true, this.#line);
  }

  #remark(text: string): void {
    this.#add(text, false, this.#line);
  }

  #add(text: string, isLoss: boolean, line: number | null): void {
    this.notes.push({ file: this.#options.file, line, text, isLoss });
  }
}

function shown(text: string): string {
  return `"${text.slice(0, SHOWN_MAX)}"`;
}

/** Read a crontab like its daemon does. Unreadable and lossy lines become notes. */
export function readCrontab(text: string, options: ReadOptions): Crontab {
  const reader = new Reader(options);
  reader.read(text);
  return reader;
}
