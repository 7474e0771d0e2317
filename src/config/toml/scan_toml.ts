/** Deepest nesting of lists and inline tables, and most parts of one dotted key. */
export const NESTING_MAX = 64;
/** Longest string, in characters; a longer argument could not be given to a process either. */
const STRING_LENGTH_MAX = 65_536;

/** Something that is too large for the parsers, with its index in the text. */
export interface Excess {
  readonly index: number;
  readonly message: string;
}

/** A whole number or a fraction in decimal digits, with what ends it. */
const PLAIN_NUMBER = /[+-]?\d+(?:\.\d+)?[ \t]*(?:[,\]}#\r\n]|$)/y;

/** The result of one pass over a file. */
export interface Scan {
  /** Nesting, a key or a string that is too much for the parsers; null if there is none. */
  readonly excess: Excess | null;
  /** True if a value begins like a number but is not plain: perhaps a date, a time or a mistake. */
  readonly hasUnusualNumber: boolean;
}

const DOT = 0x2e;
const LINE_FEED = 0x0a;

/** Characters that this scan does not look at. */
const ORDINARY = /[^"'#[\]{}=,]*/y;
/** The sign of an assignment or of a list, before a possible number. */
const VALUE = /[=,[]\s*(?=[\d+-])/y;

/** Scan a file before it is parsed. Knows comments and strings; parsers handle malformed text. */
export function scanToml(text: string): Scan {
  let depth = 0;
  let dots = 0;
  let keyStart = 0;
  let index = 0;
  let hasUnusualNumber = false;
  const exceeded = (message: string) => ({ excess: { index, message }, hasUnusualNumber });
  for (;;) {
    const start = index;
    index = endOf(ORDINARY, text, start);
    if (dots === 0) keyStart = start;
    dots = dotsAfter(dots, text, start, index);
    // The parser of places takes a time that grows with the square of the parts.
    if (dots >= NESTING_MAX) {
      index = Math.max(keyStart, text.lastIndexOf("\n", index - 1) + 1);
      return exceeded(`found a key of over ${NESTING_MAX} parts`);
    }
    if (index >= text.length) break;
    const char = text[index];
    if (char === "#") {
      index = endOf(COMMENT, text, index);
      continue;
    }
    if (char === '"' || char === "'") {
      const end = stringEnd(text, index, char);
      if (end - index > STRING_LENGTH_MAX) {
        return exceeded(`found a string of over ${STRING_LENGTH_MAX} characters`);
      }
      index = end;
      continue;
    }
    dots = 0;
    if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth = Math.max(0, depth - 1);
    if (depth > NESTING_MAX) return exceeded(`found nesting deeper than ${NESTING_MAX} levels`);
    const value = endOf(VALUE, text, index);
    hasUnusualNumber ||= value > index && endOf(PLAIN_NUMBER, text, value) === value;
    index++;
  }
  return { excess: null, hasUnusualNumber };
}

/** The dots of a key so far, including those from `start` to `end`. A line begins another key. */
function dotsAfter(before: number, text: string, start: number, end: number): number {
  let dots = before;
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) dots++;
    else if (code === LINE_FEED) dots = 0;
  }
  return dots;
}

const COMMENT = /[^\n]*/y;
const IN_STRING = { '"': /[^"\\\n]*/y, "'": /[^'\n]*/y };

/** The end of a match that begins at `from`; `from` if there is none. */
function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

// Returns the end of the string at `start`. An unterminated one-line string ends with its line.
function stringEnd(text: string, start: number, quote: '"' | "'"): number {
  const isMultiLine = text.startsWith(quote.repeat(3), start);
  const closing = isMultiLine ? quote.repeat(3) : quote;
  let index = start + closing.length;
  while ((index = endOf(IN_STRING[quote], text, index)) < text.length) {
    if (text[index] === "\\") index += 2;
    else if (text.startsWith(closing, index)) return index + closing.length;
    else if (!isMultiLine && text[index] === "\n") return index;
    else index++;
  }
  return text.length;
}
