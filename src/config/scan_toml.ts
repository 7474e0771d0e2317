/** Deepest nesting of lists and inline tables, and most parts of one dotted key. */
export const NESTING_MAX = 64;
/** Longest string, in characters; a longer argument could not be given to a process either. */
const STRING_LENGTH_MAX = 65_536;

/** What is too large for the parsers, with its index in the text. */
export interface Excess {
  readonly index: number;
  readonly message: string;
}

/**
 * Find nesting or a string that the parsers, being recursive, would overflow on; null when there is none.
 *
 * One pass over the text that knows comments and the four kinds of strings. Malformed text is left to the parsers.
 */
export function findExcess(text: string): Excess | null {
  let depth = 0;
  let index = 0;
  while (index < text.length) {
    const char = text[index];
    if (char === "#") {
      index = endOf(text, "\n", index);
    } else if (char === '"' || char === "'") {
      const end = stringEnd(text, index, char);
      if (end - index > STRING_LENGTH_MAX) {
        return { index, message: `found a string of over ${STRING_LENGTH_MAX} characters` };
      }
      index = end;
    } else {
      if (char === "[" || char === "{") depth++;
      else if (char === "]" || char === "}") depth = Math.max(0, depth - 1);
      if (depth > NESTING_MAX) {
        return { index, message: `found nesting deeper than ${NESTING_MAX} levels` };
      }
      index++;
    }
  }
  return null;
}

function endOf(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at + what.length;
}

// Where the string that begins at `start` ends; an unterminated one-line string ends with its line.
function stringEnd(text: string, start: number, quote: string): number {
  const isMultiLine = text.startsWith(quote.repeat(3), start);
  const closing = isMultiLine ? quote.repeat(3) : quote;
  let index = start + closing.length;
  while (index < text.length) {
    if (quote === '"' && text[index] === "\\") {
      index += 2;
    } else if (text.startsWith(closing, index)) {
      return index + closing.length;
    } else if (!isMultiLine && text[index] === "\n") {
      return index;
    } else {
      index++;
    }
  }
  return text.length;
}
