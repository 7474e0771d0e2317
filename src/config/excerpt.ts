import { resolve } from "node:path";
import type { ConfigProblem, Place } from "../core/config_problem.ts";
import { maskUrl } from "../core/settings/store_address.ts";
import { readRegularFile } from "../platform/files/read_file.ts";

/** Largest file that is shown, in bytes, and number of kept files. */
const FILE_BYTES_MAX = 4 * 1_048_576;
const FILES_MAX = 50;
/** Longest line that is shown whole; of other lines, the characters shown around a place. */
const LINE_CHARS_MAX = 160;
const CHARS_BEFORE = 60;
/** Number of lines above a line that are searched for the key and the header. */
const LINES_ABOVE_MAX = 500;

const HEADER = /^[ \t]*\[\[?([^\]\n]*)\]/;
const KEY =
  /^[ \t]*((?:[\w-]+|"[^"\n]*"|'[^'\n]*')(?:[ \t]*\.[ \t]*(?:[\w-]+|"[^"\n]*"|'[^'\n]*'))*)[ \t]*=/;
/** The first word of a line, also as a key of another format. */
const WORD = /^[ \t]*["']?([\w.-]*)["']?:?/;
/** Keys whose texts are secrets, or may be. */
const SECRET =
  /(?:^|[._\s"'])(?:tokens?|hash|passwords?|secrets?|ping_key|env|headers|body|stdin)(?:$|[.[\s"'])/;
/** A text, possibly unclosed. */
const TEXT = /"(?:[^"\\]|\\.)*"?|'[^']*'?/g;
/** A key of an inline table, which is captured, or a value, possibly without quotes. */
const VALUE = /((?<=[{,][ \t]*)[\w-]+(?=[ \t]*=))|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,{}[\]"'=]+/g;
/** A key and its value in an inline table. */
const INLINE =
  /((?:^|[{,\s])["']?([\w-]+)["']?[ \t]*=[ \t]*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,{}[\]"']+)/g;

const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s"'/@:]*):[^\s"']*@/gi;
/** Parameters of webhooks can be keys. */
const URL_QUERY = /(:\/\/[^\s"'?]*\?)[^\s"']+/g;
/** The path of a URL that is not a store's: it can be a key, too. */
const PRIVATE_URL = /(?:^|[._\s"'])url["']?$/;
const URL_PATH = /(:\/\/[^\s"'/?#]*[/?#]).*/;

/** The line of a problem, and the part of it that is wrong. */
export interface Excerpt {
  readonly line: number;
  /** Without secrets. */
  readonly text: string;
  /** First wrong character, from 0, and the number of wrong ones. */
  readonly start: number;
  readonly length: number;
}

/** Shows the lines that problems are about. */
export class Excerpts {
  readonly #cwd: string;
  readonly #files = new Map<string, readonly string[]>();

  /** @param cwd base of the relative paths in places */
  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  /** The line of a problem; null without a place, or if its file cannot be read. */
  of({ place, path }: Pick<ConfigProblem, "place" | "path">): Excerpt | null {
    if (place === null) return null;
    const lines = this.#linesOf(place);
    const whole = lines[place.line - 1];
    if (whole === undefined || whole.trim() === "" || place.column > whole.length + 1) return null;
    const isToml = place.file.endsWith(".toml");
    return cut(isToml ? masked(lines, place.line - 1, path) : whole, place);
  }

  #linesOf({ file }: Place): readonly string[] {
    let lines = this.#files.get(file);
    if (lines === undefined && this.#files.size < FILES_MAX) {
      lines = readLines(resolve(this.#cwd, file));
      this.#files.set(file, lines);
    }
    return lines ?? [];
  }
}

function readLines(path: string): readonly string[] {
  try {
    const text = readRegularFile(path, FILE_BYTES_MAX)?.bytes.toString("utf8") ?? "";
    return text.replace(/^\ufeff/, "").split(/\r?\n/);
  } catch {
    return [];
  }
}

/** The key and the table that a line belongs to. */
function contextOf(lines: readonly string[], index: number): string {
  let key: string | null = null;
  for (let at = index; at >= 0 && at > index - LINES_ABOVE_MAX; at--) {
    const line = lines[at]!;
    const header = HEADER.exec(line)?.[1];
    if (header !== undefined) return `${header}.${key ?? ""}`;
    key ??= KEY.exec(line)?.[1] ?? null;
  }
  return key ?? "";
}

/** Index of the line where the multi-line text around a line begins; null for none. */
function textStart(lines: readonly string[], index: number): number | null {
  let open: { readonly quotes: string; readonly at: number } | null = null;
  for (let at = 0; at < index; at++) {
    for (const [quotes] of lines[at]!.matchAll(/"""|'''/g)) {
      if (open === null) open = { quotes, at };
      else if (open.quotes === quotes) open = null;
    }
  }
  return open?.at ?? null;
}

function masked(lines: readonly string[], index: number, path: string): string {
  const whole = lines[index]!;
  const start = textStart(lines, index);
  const context = contextOf(lines, start ?? index);
  if (SECRET.test(`${path}.${context}`)) {
    return start === null ? withoutValues(whole) : stars(whole);
  }
  const isStore = context.startsWith("store");
  const line = PRIVATE_URL.test(context) && !isStore ? withoutPath(whole) : whole;
  // As in YAML: password: hunter2
  const [word, name] = WORD.exec(line)!;
  if (SECRET.test(name!)) return word + withoutValues(line.slice(word.length));
  // An inline table: env = { PASSWORD = "…" }
  const inline = line.replace(INLINE, (all, before: string, name: string, value: string) => {
    if (name === "url" && !isStore) return before + withoutPath(value);
    return SECRET.test(name) ? before + withoutValues(value) : all;
  });
  const texts = inline.replace(TEXT, (text) => {
    const inner = text.slice(1, -1);
    const shown = maskUrl(inner);
    return shown === inner ? text : text[0]! + shown + text.at(-1)!;
  });
  // Applies within a text too, and where the quotes are missing.
  return texts.replace(URL_PASSWORD, "$1:***@").replace(URL_QUERY, "$1***");
}

/** The line with its keys, but without its values, which become stars of the same length. */
function withoutValues(line: string): string {
  const before = KEY.exec(line)?.[0] ?? "";
  const after = line.slice(before.length).replace(VALUE, (all, key: string | undefined) => {
    if (key !== undefined) return all;
    return /^["']/.test(all) ? all[0]! + stars(all.slice(1, -1)) + all[0]! : stars(all);
  });
  return before + after;
}

/** The line with stars behind the host of its URL. */
function withoutPath(line: string): string {
  return line.replace(URL_PATH, (all, host: string) => host + stars(all.slice(host.length)));
}

function stars(text: string): string {
  return text.replace(/\S/g, "*");
}

function cut(whole: string, { line, column }: Place): Excerpt {
  const text = whole.replaceAll("\t", " ");
  const start = Math.min(column - 1, text.length);
  const length = lengthAt(text, start);
  if (text.length <= LINE_CHARS_MAX) return { line, text, start, length };
  const from = Math.max(0, start - CHARS_BEFORE);
  const to = Math.min(text.length, from + LINE_CHARS_MAX);
  const before = from > 0 ? "…" : "";
  const shown = before + text.slice(from, to) + (to < text.length ? "…" : "");
  const left = start - from + before.length;
  return { line, text: shown, start: left, length: Math.max(1, Math.min(length, to - start)) };
}

/** Length of the key, the header or the value at an index. */
function lengthAt(text: string, start: number): number {
  const rest = text.slice(start);
  const found = /^(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|\[[^\]]*\]?|[\w.+:-]+)/.exec(rest)?.[0];
  return Math.max(1, (found ?? rest.slice(0, 1)).trimEnd().length);
}
