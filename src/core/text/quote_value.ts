/** Longest quoted value in a message, in characters. */
const QUOTED_LENGTH_MAX = 80;

/** Quote any value for a message: short and on one line. */
export function quoteValue(value: unknown): string {
  if (typeof value === "string") {
    const isLong = value.length > QUOTED_LENGTH_MAX;
    return JSON.stringify(isLong ? `${value.slice(0, QUOTED_LENGTH_MAX)}…` : value);
  }
  if (typeof value === "bigint") {
    return BigInt.asIntN(256, value) === value ? `${value}n` : "a huge integer";
  }
  if (typeof value === "object" && value !== null) return describeObject(value);
  if (typeof value === "function") return "a function";
  return String(value);
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (value instanceof Date) return "a Date";
    if (value instanceof Map) return `a Map of ${value.size}`;
    if (value instanceof Set) return `a Set of ${value.size}`;
    if (value instanceof Promise) return "a promise";
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    return "an object";
  } catch {
    return "an object";
  }
}
