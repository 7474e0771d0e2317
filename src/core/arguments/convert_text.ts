import { base64 } from "../text/text_bytes.ts";

/** A number, a bigint or a Date read from text, or the problem of the text. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string };

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
const DATE =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;
// Fewer digits are more likely a year or a compact date.
const EPOCH_MS = /^[+-]?\d{12,16}$/;
const ENCODED_DATE = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NUMBER_LENGTH_MAX = 400;
/** Decimal digits that a number always keeps. */
const SURE_DIGITS = 15;
const BIGINT_LENGTH_MAX = 10_000;
/** Largest distance of a Date from the epoch, in milliseconds. */
const DATE_MS_MAX = 8.64e15;

/**
 * Read a decimal number: `42`, `-1.5`, `1e3`. No spaces, no hexadecimal, no `NaN`. Unrepresentable
 * values are refused, not rounded: integers beyond 2^53 that lose digits, `1e400`, `1e-400`.
 */
export function readNumber(text: string): Reading<number> {
  if (!NUMBER.test(text)) return { problem: "is not a number" };
  if (text.length > NUMBER_LENGTH_MAX) return { problem: "has too many digits for a number" };
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: "is out of the range of a number" };
  if (value === 0 && /[1-9]/.test(text.split(/[eE]/)[0]!)) {
    return { problem: "is too small for a number" };
  }
  return losesDigits(text, value) ? { problem: "has more digits than a number holds" } : { value };
}

/** True if `value` lost digits of the whole number `text`. JavaScript's own text loses nothing. */
function losesDigits(text: string, value: number): boolean {
  if (Number.isSafeInteger(value) || !Number.isInteger(value) || text === String(value)) {
    return false;
  }
  const [mantissa = "", exponent = "0"] = text.replace(/^[+-]/, "").split(/[eE]/);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits.replace(/0+$/, "").length < SURE_DIGITS + 1) return false;
  const shift = Number(exponent) - fraction.length;
  const exact = shift >= 0
    ? BigInt(digits) * 10n ** BigInt(shift)
    : BigInt(digits.slice(0, shift) || "0");
  const isWhole = shift >= 0 || /^0*$/.test(digits.slice(shift));
  return !isWhole || exact !== BigInt(Math.abs(value));
}

/** Read a whole number that a number represents exactly: `42`, `-7`, `1e3`. */
export function readInt(text: string): Reading<number> {
  const reading = readNumber(text);
  if ("problem" in reading) return reading;
  return intOf(reading.value);
}

/** Check that a number is whole and exact. */
export function intOf(value: number): Reading<number> {
  if (!Number.isInteger(value)) return { problem: "is not a whole number" };
  if (!Number.isSafeInteger(value)) return { problem: "is out of the range of a whole number" };
  return { value: value + 0 };
}

/** Read an integer of any size, in decimal digits. */
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
 * Read a time in ISO 8601, or epoch milliseconds in 12 to 16 digits. Times without an offset, and
 * dates without a time, are UTC, so that a text means the same on every machine. Impossible dates
 * are refused. Fractions of a millisecond are cut off.
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

/** True if `text` is the JSON form of a Date. */
export function isEncodedDate(text: string): boolean {
  return ENCODED_DATE.test(text) && "value" in readDate(text);
}

/** True if `text` is the JSON form of a bigint that is not a safe integer. */
export function isEncodedBigint(text: string): boolean {
  if (!/^-?[1-9]\d{15,}$/.test(text) || text.length > BIGINT_LENGTH_MAX) return false;
  return !isSafe(BigInt(text));
}

/** True if `value` is a safe integer, and so a number in JSON. */
export function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}

/** Read an absolute URL, normalized by the rules of URLs, such as a lower-case host. */
export function readUrl(text: string): Reading<URL> {
  // The URL class silently drops spaces and control characters.
  if ([...text].some((character) => character <= " ")) return { problem: "is not a URL" };
  const value = URL.parse(text);
  return value === null ? { problem: "is not a URL" } : { value };
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const BASE64_URL = /^[A-Za-z0-9_-]*={0,2}$/;

/** Read bytes in base64, standard or URL-safe, with or without padding. */
export function readBytes(text: string): Reading<Uint8Array> {
  if (!BASE64.test(text) && !BASE64_URL.test(text)) return { problem: "is not base64" };
  const digits = text.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
  const padding = text.length - digits.length;
  if (padding > 0 && (digits.length + padding) % 4 !== 0) return { problem: "is not base64" };
  if (digits.length % 4 === 1) return { problem: "is not base64" };
  const binary = atob(digits.padEnd(Math.ceil(digits.length / 4) * 4, "="));
  const value = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) value[at] = binary.charCodeAt(at);
  // Bits behind the last byte would be dropped.
  return base64(value).replace(/=+$/, "") === digits ? { value } : { problem: "is not base64" };
}

/** True if `text` is what bytes become in JSON. */
export function isEncodedBytes(text: string): boolean {
  return text.length % 4 === 0 && BASE64.test(text);
}

/** The number with the same digits as `value`; null if there is no such number. */
export function numberOf(value: bigint): number | null {
  const found = Number(value);
  return isSafe(value) || String(found) === String(value) ? found : null;
}
