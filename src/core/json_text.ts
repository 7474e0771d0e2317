/** What is read of an integer that a number cannot hold: its digits are kept. */
const INTEGER = /^-?\d{16,10000}$/;
// Only then is there a number that could lose digits, and the slower reading is needed.
const LONG_DIGITS = /\d{16}/;

/**
 * Parse JSON text without losing digits: an integer that a number cannot hold is a bigint.
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
