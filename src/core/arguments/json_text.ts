/** Integers that a number may not represent: their digits are kept. */
const INTEGER = /^-?\d{16,10000}$/;
// Only numbers of this length can lose digits and need the slower reading.
const LONG_DIGITS = /\d{16}/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Parse JSON text without losing digits: integers that a number cannot represent become bigints.
 *
 * @throws SyntaxError as `JSON.parse` does
 */
export function parseJson(text: string): unknown {
  return LONG_DIGITS.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
}

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || !INTEGER.test(source)) return value;
  const exact = BigInt(source);
  return Number.isSafeInteger(value) || exact === BigInt(value) ? value : exact;
}

/** True if valid JSON text nests deeper than `levelsMax` levels. Builds no values. */
export function isDeeperThan(text: string, levelsMax: number): boolean {
  // Each level takes a character to open and one to close.
  if (text.length <= 2 * levelsMax) return false;
  let levels = 0;
  return someBracket(text, (change) => (levels += change) > levelsMax);
}

/** Most arrays and objects in a caller's JSON text: each takes far more memory than its text. */
const CONTAINERS_MAX = 100_000;

/** Why valid JSON text has too many values; null if acceptable. Builds no values. */
export function sizeProblem(text: string): string | null {
  if (text.length <= 2 * CONTAINERS_MAX) return null;
  let count = 0;
  const isTooMany = someBracket(text, (change) => change === 1 && ++count > CONTAINERS_MAX);
  return isTooMany ? `it has more than ${CONTAINERS_MAX} arrays and objects` : null;
}

/** True if `test` is true for a bracket outside of strings: 1 if it opens, -1 if it closes. */
function someBracket(text: string, test: (change: 1 | -1) => boolean): boolean {
  let isText = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (isText) {
      if (unit === BACKSLASH) index += 1;
      else if (unit === QUOTE) isText = false;
    } else if (unit === QUOTE) isText = true;
    else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
      if (test(1)) return true;
    } else if ((unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) && test(-1)) return true;
  }
  return false;
}

/**
 * JSON text of a value from {@link parseJson}, with all digits of its integers. Too large numbers
 * are kept, for the reader of the arguments to refuse.
 */
export function jsonText(value: unknown): string {
  if (isPlain(value)) return JSON.stringify(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value === Infinity ? "1e999" : "-1e999";
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  const members = Object.entries(value);
  return `{${members.map(([key, one]) => `${JSON.stringify(key)}:${jsonText(one)}`).join(",")}}`;
}

/** True if a value has no number that `JSON.stringify` refuses or replaces. */
function isPlain(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return typeof value !== "bigint";
  return Array.isArray(value) ? value.every(isPlain) : Object.values(value).every(isPlain);
}
