import { JobError } from "../errors.ts";

/** The place of one value in JSON: names of members, and indices of elements. */
export type JsonPath = readonly (string | number)[];

/** Longest path, in characters. */
const LENGTH_MAX = 1_000;
/** Names in the short form, RFC 9535 2.5.1.1. */
const NAME = /[A-Za-z_\u{80}-\u{D7FF}\u{E000}-\u{10FFFF}][\w\u{80}-\u{D7FF}\u{E000}-\u{10FFFF}]*/uy;
const INDEX = /0|-?[1-9]\d{0,15}/y;
const BLANKS = /[ \t\n\r]*/y;
const PLAIN = /[^\\'"]+/uy;
const ESCAPE = /\\(?:[bfnrt/\\'"]|u[\dA-Fa-f]{4})/y;
const ESCAPED: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
/** The beginning of a selector of several values, after an opening bracket or a dot. */
const SEVERAL = /^\[[ \t\n\r]*(?:[*?:]|-?\d+[ \t\n\r]*[:,]|(?:'[^']*'|"[^"]*")[ \t\n\r]*,)|^\.[.*]/;

/**
 * Read a path to one value: a singular query of RFC 9535, such as `$.repository['full name'][0]`.
 *
 * @throws JobError `invalid_argument` with the fault and its place
 */
export function parseJsonPath(text: string): JsonPath {
  if (text.length > LENGTH_MAX) {
    throw refuse(text, `it has ${text.length} characters, wanted at most ${LENGTH_MAX}`);
  }
  return new PathReader(text).read();
}

/**
 * The value at a path; undefined if there is none. Only members and elements of the value itself
 * count, so no name reaches a prototype.
 */
export function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    if (typeof step === "number") {
      if (!Array.isArray(value)) return undefined;
      value = value[step < 0 ? value.length + step : step];
    } else {
      if (Array.isArray(value) || !Object.hasOwn(value, step)) return undefined;
      value = Reflect.get(value, step);
    }
  }
  return value;
}

class PathReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): JsonPath {
    if (!this.#take("$")) throw refuse(this.#text, 'it does not begin with "$"');
    const path: (string | number)[] = [];
    while (this.#at < this.#text.length) path.push(this.#step());
    return path;
  }

  #step(): string | number {
    const start = this.#at;
    this.#match(BLANKS);
    const rest = this.#text.slice(this.#at);
    if (SEVERAL.test(rest)) {
      throw refuse(this.#text, `${this.#place} selects several values`, "Name a single one");
    }
    if (this.#take(".")) return this.#match(NAME) ?? this.#fail("a name", "['full name']");
    if (this.#take("[")) return this.#bracket();
    // Blanks at the end belong to nothing.
    this.#at = start;
    return this.#fail('".", "[" or the end');
  }

  #bracket(): string | number {
    this.#match(BLANKS);
    const step = this.#quoted() ?? this.#index() ?? this.#fail("a name in quotes, or an index");
    this.#match(BLANKS);
    if (!this.#take("]")) this.#fail('"]"');
    return step;
  }

  #index(): number | null {
    const index = this.#match(INDEX);
    if (index === null) return null;
    const value = Number(index);
    return Number.isSafeInteger(value) ? value : this.#fail("a smaller index");
  }

  #quoted(): string | null {
    const quote = this.#text[this.#at];
    if (quote !== "'" && quote !== '"') return null;
    this.#at += 1;
    let name = "";
    while (!this.#take(quote)) name += this.#plain() ?? this.#special(quote);
    if (!name.isWellFormed()) this.#fail("pairs of surrogates");
    return name;
  }

  #plain(): string | null {
    const text = this.#match(PLAIN);
    const hasControl = text !== null && [...text].some((character) => character < " ");
    return hasControl ? this.#fail("an escape in place of a control character") : text;
  }

  #special(quote: string): string {
    const other = quote === "'" ? '"' : "'";
    if (this.#take(other)) return other;
    const escape = this.#match(ESCAPE) ?? this.#fail("the closing quote");
    const letter = escape[1]!;
    if (letter === other) this.#fail(`no backslash before ${other}`);
    if (letter === "u") return String.fromCharCode(parseInt(escape.slice(2), 16));
    return ESCAPED[letter] ?? letter;
  }

  #take(character: string): boolean {
    const isThere = this.#text[this.#at] === character;
    if (isThere) this.#at += 1;
    return isThere;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  get #place(): string {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    return rest === "" ? "its end" : JSON.stringify(rest);
  }

  #fail(wanted: string, example = "$.a.b"): never {
    throw refuse(
      this.#text,
      `at character ${this.#at + 1} found ${this.#place}, wanted ${wanted}`,
      `Write $.name, $['a name'] or $[0], such as ${example}`,
    );
  }
}

function refuse(text: string, problem: string, hint = "Write $.name, or $ for the whole body") {
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
  return new JobError("invalid_argument", `Cannot read the path ${shown}: ${problem}`, { hint });
}
