/** A number, a bigint or a Date read from text, or what is wrong with the text. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string };

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
const DATE =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;
// Shorter digits are more likely a year or a compact date than a moment.
const EPOCH_MS = /^[+-]?\d{12,16}$/;
/** The form in which a Date goes through JSON. */
const ENCODED_DATE = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NUMBER_LENGTH_MAX = 400;
const BIGINT_LENGTH_MAX = 10_000;
/** Farthest moment of a Date from the epoch, in milliseconds. */
const DATE_MS_MAX = 8.64e15;

/**
 * A decimal number: `42`, `-1.5`, `1e3`. No spaces, no hexadecimal, no `NaN`; what a number cannot hold is refused rather
 * than rounded: integers beyond 2^53 that lose digits, `1e400`, `1e-400`.
 */
export function readNumber(text: string): Reading<number> {
  if (!NUMBER.test(text)) return { problem: "is not a number" };
  if (text.length > NUMBER_LENGTH_MAX) return { problem: "has too many digits for a number" };
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: "is out of the range of a number" };
  if (value === 0 && /[1-9]/.test(text.split(/[eE]/)[0]!)) {
    return { problem: "is too small for a number" };
  }
  if (
    INTEGER.test(text) && !Number.isSafeInteger(value) && BigInt(unsigned(text)) !== BigInt(value)
  ) {
    return { problem: "has more digits than a number holds" };
  }
  return { value };
}

/** An integer of any size, in decimal digits. */
export function readBigint(text: string): Reading<bigint> {
  if (!INTEGER.test(text)) return { problem: "is not an integer" };
  if (text.length > BIGINT_LENGTH_MAX) return { problem: "has too many digits" };
  return { value: BigInt(unsigned(text)) };
}

// BigInt() takes no plus sign.
function unsigned(text: string): string {
  return text.startsWith("+") ? text.slice(1) : text;
}

/**
 * A moment in ISO 8601 text, or epoch milliseconds in 12 to 16 digits. A time without an offset, and a date without a time, is
 * UTC, so that the same text means the same on every machine. Impossible dates are refused; less than a millisecond is
 * cut off.
 */
export function readDate(text: string): Reading<Date> {
  if (EPOCH_MS.test(text)) return dateOfMs(Number(text));
  const match = DATE.exec(text);
  if (match === null) return { problem: "is not a date" };
  const [, year, month, day, hour = "00", minute = "00", second = "00", part = ""] = match;
  const isClockTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${
    part.padEnd(3, "0").slice(0, 3)
  }Z`;
  const localMs = Date.parse(local);
  // 30 February would become a day of March.
  const isReal = isClockTime && !Number.isNaN(localMs) &&
    new Date(localMs).getUTCDate() === Number(day);
  if (!isReal) return { problem: "is not a date that exists" };
  return dateOfMs(localMs - offsetMs(match[8]));
}

function offsetMs(offset: string | undefined): number {
  if (offset === undefined || offset.toUpperCase() === "Z") return 0;
  const digits = offset.slice(1).replace(":", "");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || "0");
  return (offset.startsWith("-") ? -1 : 1) * minutes * 60_000;
}

/** The Date of an epoch time in milliseconds. */
export function dateOfMs(ms: number): Reading<Date> {
  if (!Number.isInteger(ms)) return { problem: "is not a whole number of epoch milliseconds" };
  if (Math.abs(ms) > DATE_MS_MAX) return { problem: "is out of the range of a Date" };
  return { value: new Date(ms) };
}

/** Whether `text` is what a Date becomes in JSON. */
export function isEncodedDate(text: string): boolean {
  return ENCODED_DATE.test(text) && "value" in readDate(text);
}

/** Whether `text` is what a bigint becomes in JSON when it is not a safe integer. */
export function isEncodedBigint(text: string): boolean {
  if (!/^-?[1-9]\d{15,}$/.test(text) || text.length > BIGINT_LENGTH_MAX) return false;
  return !isSafe(BigInt(text));
}

/** Whether `value` is a safe integer, and so a number in JSON. */
export function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}
