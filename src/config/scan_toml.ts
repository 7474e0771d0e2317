/** Deepest nesting of lists and inline tables, and most parts of one dotted key. */
export const NESTING_MAX = 64;
/** Longest string, in characters; a longer argument could not be given to a process either. */
const STRING_LENGTH_MAX = 65_536;

/** What is too large for the parsers, with its index in the text. */
export interface Excess {
  readonly index: number;
  readonly message: string;
}

/** A whole number or a fraction in decimal digits, with what ends it. */
const PLAIN_NUMBER = /[+-]?\d+(?:\.\d+)?[ \t]*(?:[,\]}#\r\n]|$)/y;

/** What one pass over a file finds. */
export interface Scan {
  /** Nesting or a string on which the parsers, being recursive, would overflow; null when there is none. */
  readonly excess: Excess | null;
  /** True if a value begins like a number and is no plain one: it may be a date, a time or a mistake. */
  readonly hasUnusualNumber: boolean;
}

/** Whatever changes nothing here. */
const ORDINARY = /[^"'#[\]{}=,]*/y;
/** What a number may begin with, after the sign of an assignment or of a list. */
const VALUE = /[=,[]\s*(?=[\d+-])/y;

/**
 * Look over a file before it is parsed.
 *
 * One pass over the text that knows comments and the four kinds of strings. Malformed text is left to the parsers.
 */
export function scanToml(text: string): Scan {
  let depth = 0;
  let index = 0;
  let hasUnusualNumber = false;
  const exceeded = (message: string) => ({ excess: { index, message }, hasUnusualNumber });
  while ((index = endOf(ORDINARY, text, index)) < text.length) {
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
    if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth = Math.max(0, depth - 1);
    if (depth > NESTING_MAX) return exceeded(`found nesting deeper than ${NESTING_MAX} levels`);
    const value = endOf(VALUE, text, index);
    hasUnusualNumber ||= value > index && endOf(PLAIN_NUMBER, text, value) === value;
    index++;
  }
  return { excess: null, hasUnusualNumber };
}

const COMMENT = /[^\n]*/y;
const IN_STRING = { '"': /[^"\\\n]*/y, "'": /[^'\n]*/y };

/** Where a match that begins at `from` ends; `from` when there is none. */
function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

// Returns the end of the string that begins at `start`. An unterminated one-line string ends with
// its line.
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
