import { parse } from "@iarna/toml";
import { ParseError } from "toml-eslint-parser";
import type { ConfigProblem, Place } from "../../core/config_problem.ts";
import { isObject, PROTOTYPE_KEYS } from "../../core/text/object_keys.ts";
import { problemAt } from "../values/problems.ts";
import { NESTING_MAX, scanToml } from "./scan_toml.ts";
import type { KeyPath } from "../values/source.ts";
import { type Position, TomlPlaces } from "./toml_places.ts";

/** A line that begins a statement: a header, or a key with its value. */
const STATEMENT = /^[ \t]*(?:\[|(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*(?:\.[^=\n]*)?=)/;
const TABLE_HEAD = /^[ \t]*\[/;
/** The name of a job or channel in a header. */
const NAMED_HEADER =
  /^[ \t]*\[\[?[ \t]*(jobs|notices)[ \t]*\.[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([\w-]+))/;

/** A text without a statement that cannot be read. */
interface Remainder {
  /** The same lines, some of them empty. */
  readonly text: string;
  /** The table that lacks something now, as `jobs.report`; null for none of these. */
  readonly table: string | null;
}

/**
 * Remove the statement that a line belongs to, so that the rest can be read. Without its header, a
 * table is removed as a whole: its keys would count for the table before it.
 *
 * @param line from 1
 * @param isToml whether a text of some lines is TOML
 * @returns null if the line has nothing to remove
 */
function withoutStatement(
  text: string,
  line: number,
  isToml: (text: string) => boolean,
): Remainder | null {
  const lines = text.split("\n");
  const at = Math.min(line, lines.length) - 1;
  let start = at;
  // A value that does not end is noticed where the next statement begins, or at the end.
  while (start > 0 && !STATEMENT.test(lines[start]!)) start -= 1;
  // A complete one before the line is not to blame.
  if (start < at && isToml(lines.slice(start, at).join("\n"))) start = at;
  const isHeader = TABLE_HEAD.test(lines[start]!);
  const next = isHeader ? TABLE_HEAD : STATEMENT;
  let end = start + 1;
  while (end < lines.length && !next.test(lines[end]!)) end += 1;
  if (lines.slice(start, end).every((each) => each.trim() === "")) return null;
  const table = tableAt(lines, start);
  for (let index = start; index < end; index++) lines[index] = "";
  return { text: lines.join("\n"), table };
}

function tableAt(lines: readonly string[], start: number): string | null {
  for (let index = start; index >= 0; index--) {
    if (!TABLE_HEAD.test(lines[index]!)) continue;
    const found = NAMED_HEADER.exec(lines[index]!);
    return found === null ? null : `${found[1]}.${found[2] ?? found[3] ?? found[4]}`;
  }
  return null;
}

/** A parsed file: plain data, with dates as ISO text, and the places of its keys and values. */
export interface ParsedToml {
  /** Null when the file is not TOML at all. */
  readonly tree: Record<string, unknown> | null;
  /** False if no string in it has a variable to expand. */
  readonly hasVariables: boolean;
  readonly problems: readonly ConfigProblem[];
  placeOf(path: KeyPath, part: "key" | "value"): Place;
  /** The readable parts of a file that is not TOML at all. */
  readonly rest?: RestOfToml;
}

/** A file without its invalid statements. */
export interface RestOfToml extends Omit<ParsedToml, "rest"> {
  readonly tree: Record<string, unknown>;
  /** The tables of jobs and channels that lack a statement, such as `jobs.report`. */
  readonly incomplete: ReadonlySet<string>;
}

/** Limits on the search for further mistakes: a daemon does it beside its schedules. */
const REMOVED_MAX = 20;
const PARSED_AGAIN_MAX = 2_000_000;

/**
 * Parse the bytes of a TOML file.
 *
 * `@iarna/toml` gives the values, `toml-eslint-parser` the places. The second parser is slow, so it
 * runs only when a place is needed, or when the text has something that only it refuses.
 *
 * @param file the name in places
 */
export function parseToml(bytes: Uint8Array, file: string): ParsedToml {
  const text = decode(bytes);
  if (typeof text !== "string") return refused(file, text, "found bytes that are not UTF-8");
  const parsed = parseText(text, file);
  return parsed.tree === null ? recover(text, file, parsed) : parsed;
}

/** All mistakes of syntax, and the rest of the file. */
function recover(text: string, file: string, first: ParsedToml): ParsedToml {
  const problems = [...first.problems];
  const incomplete = new Set<string>();
  let left = text;
  const removedMax = Math.min(REMOVED_MAX, PARSED_AGAIN_MAX / Math.max(1, text.length));
  for (let at = first; problems.length <= removedMax;) {
    const line = at.problems[0]?.place?.line;
    const remainder = line === undefined ? null : withoutStatement(left, line, isToml);
    if (remainder === null) break;
    left = remainder.text;
    if (remainder.table !== null) incomplete.add(remainder.table);
    const parsed = parseText(left, file);
    const { tree } = parsed;
    if (tree !== null) return { ...first, problems, rest: { ...parsed, tree, incomplete } };
    problems.push(...parsed.problems);
    at = parsed;
  }
  return { ...first, problems };
}

function isToml(text: string): boolean {
  return attempt(() => parse(text)).error === undefined;
}

function parseText(text: string, file: string): ParsedToml {
  const { excess, hasUnusualNumber } = scanToml(text);
  if (excess !== null) return refused(file, positionAt(text, excess.index), excess.message);
  const values = attempt(() => parse(text));
  let places: Attempt<TomlPlaces> | undefined;
  const findPlaces = () => places ??= attempt(() => new TomlPlaces(text, file));
  let outside: Attempt<TomlPlaces> | undefined;
  const findOutside = () => outside ??= attempt(() => new TomlPlaces(withoutJobs(text), file));
  const isDoubtful = hasUnusualNumber || reopensTable(text);
  const copy = new PlainCopy();
  const tree = values.result === undefined ? undefined : copy.table(values.result, 0);
  if (tree !== undefined && !isDoubtful && copy.isOrdinary) {
    return {
      tree,
      hasVariables: copy.hasVariables,
      problems: [],
      placeOf: (path, part) => {
        const isOutside = path[0] !== "jobs" && text.length >= LONG_TEXT;
        const places = (isOutside ? findOutside().result : undefined) ?? findPlaces().result;
        return places?.placeOf(path, part) ?? { file, line: 1, column: 1 };
      },
    };
  }
  const { result: found, error } = findPlaces();
  if (found === undefined || values.result === undefined) {
    return refusedSyntax(text, file, error, values.error);
  }
  return {
    tree: new PlainCopy(Infinity).table(values.result, 0),
    hasVariables: true,
    problems: found.problems,
    placeOf: (path, part) => found.placeOf(path, part),
  };
}

/** Above this length, places outside of jobs are found without parsing the whole text. */
const LONG_TEXT = 100_000;

/** A text without its long tables of jobs; all other lines keep their numbers. */
function withoutJobs(text: string): string {
  let isJob = false;
  return text.split("\n").map((line) => {
    if (/^[ \t]*\[/.test(line)) isJob = /^[ \t]*\[\[?[ \t]*jobs[ \t]*\./.test(line);
    return isJob ? "" : line;
  }).join("\n");
}

/** Lines that may be headers of tables. */
const TABLE_LINE = /^[ \t]*\[.*/gm;
/** The first name of what may be a dotted key. */
const DOTTED_KEY = /^[ \t]*([\w-]+|["'].*["'])[ \t]*\..*=/gm;

/**
 * True if a dotted key may add to the table of a header. `@iarna/toml` accepts that, although TOML
 * does not. Some correct files are reported too.
 */
function reopensTable(text: string): boolean {
  const dotted = new Set(Array.from(text.matchAll(DOTTED_KEY), ([, name]) => name!));
  if (dotted.size === 0) return false;
  // A quoted name may be a different spelling of a bare one.
  if ([...dotted].some((name) => /["']/.test(name))) return true;
  for (const [header] of text.matchAll(TABLE_LINE)) {
    if (header.includes("\\")) return true;
    if (header.split(/[^\w-]+/).some((name) => dotted.has(name))) return true;
  }
  return false;
}

function refused(
  file: string,
  position: Position,
  message: string,
  hint?: string,
): ParsedToml {
  const place = { file, ...position };
  return {
    tree: null,
    hasVariables: false,
    problems: [problemAt(place, "", message, hint)],
    placeOf: () => place,
  };
}

interface Attempt<T> {
  readonly result?: T;
  readonly error?: unknown;
}

function attempt<T>(run: () => T): Attempt<T> {
  try {
    return { result: run() };
  } catch (error) {
    return { error };
  }
}

// Only the first line of a message: iarna adds lines of the file, which may hold secrets.
function refusedSyntax(text: string, file: string, astError: unknown, error: unknown): ParsedToml {
  const isDuplicate = astError instanceof ParseError && /multiple times/.test(astError.message);
  if (isDuplicate) {
    const position = { line: astError.lineNumber, column: astError.column + 1 };
    const line = text.split("\n", astError.lineNumber).at(-1)!;
    const key = /^["'\w.-]+/.exec(line.slice(astError.column))?.[0] ?? "";
    return refused(file, position, `found the key ${key} a second time, wanted it once`);
  }
  if (isTomlError(error)) {
    const first = error.message.split("\n", 1)[0]!.replace(/ at row \d+.*$/, "");
    const escaped = /^Unknown escape character: (\d+)$/.exec(first)?.[1];
    const message = escaped === undefined
      ? first
      : `Unknown escape "\\${String.fromCodePoint(Number(escaped))}"`;
    // It has read the escape before refusing it.
    const column = error.col + (escaped === undefined ? 1 : -1);
    const position = { line: error.line + 1, column };
    const line = text.split("\n", position.line).at(-1) ?? "";
    return refused(file, position, lower(message), hintFor(line, error.col));
  }
  if (astError instanceof ParseError) {
    const position = { line: astError.lineNumber, column: astError.column + 1 };
    return refused(file, position, lower(astError.message));
  }
  return refused(file, { line: 1, column: 1 }, "found text that is not TOML");
}

/** The remedy for a bare value, at which the parser stops. */
function hintFor(line: string, column: number): string | undefined {
  const before = line.slice(0, column + 1).replace(/[\s,\]]+$/, "");
  const [value = ""] = /[^\s=,[\]]*$/.exec(before) ?? [];
  // It refuses a bare date right before a comma or a bracket.
  if (/^\d{4}-\d\d/.test(value)) return 'Quote dates: "2026-01-01"';
  const isText = /^[A-Za-z_/.~]/.test(value) && line.includes("=");
  return isText ? 'Quote text: "word"' : undefined;
}

function isTomlError(
  error: unknown,
): error is { readonly message: string; readonly line: number; readonly col: number } {
  // Every error in Bun has a `line`.
  return (error as { fromTOML?: unknown } | undefined)?.fromTOML === true &&
    typeof (error as { line?: unknown }).line === "number";
}

function lower(message: string): string {
  return `not TOML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

// Returns the text without a byte order mark, or the place of the first byte that is not UTF-8.
function decode(bytes: Uint8Array): string | Position {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Bytes that are not UTF-8 are replaced, so that the texts differ from there on.
    const replaced = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const legible = new TextEncoder().encode(replaced);
    const end = bytes.findIndex((byte, index) => byte !== legible[index]);
    const before = new TextDecoder().decode(bytes.subarray(0, end), { stream: true });
    return positionAt(before, before.length);
  }
}

function positionAt(text: string, index: number): Position {
  const before = text.slice(0, index);
  const lines = before.split("\n");
  return { line: lines.length, column: lines.at(-1)!.length + 1 };
}

/** Copies what `@iarna/toml` returns to plain data, with dates as ISO text. */
class PlainCopy {
  /** False if a name is not allowed, an integer exceeds 53 bits, or nesting is too deep to copy. */
  isOrdinary = true;
  hasVariables = false;
  readonly #depthMax: number;

  constructor(depthMax = NESTING_MAX) {
    this.#depthMax = depthMax;
  }

  table(table: object, depth: number): Record<string, unknown> {
    const plain: Record<string, unknown> = {};
    if (depth > this.#depthMax) {
      this.isOrdinary = false;
      return plain;
    }
    for (const key of Object.keys(table)) {
      if (PROTOTYPE_KEYS.has(key)) this.isOrdinary = false;
      else plain[key] = this.#value((table as Record<string, unknown>)[key], depth + 1);
    }
    return plain;
  }

  #value(value: unknown, depth: number): unknown {
    if (typeof value === "string") this.hasVariables ||= value.includes("${");
    else if (typeof value === "bigint") this.isOrdinary = false;
    else if (Array.isArray(value)) return value.map((item) => this.#value(item, depth + 1));
    else if (value instanceof Date) return value.toISOString();
    else if (isObject(value)) return this.table(value, depth);
    return value;
  }
}
