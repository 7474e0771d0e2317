/** Longest pattern, in characters: the longest kind. */
const PATTERN_LENGTH_MAX = 200;

/** Most patterns of one scope. */
export const PATTERNS_MAX = 100;

/** Format of a kind pattern, for messages. */
export const PATTERN_WANTED = 'the kind of a job, or a pattern such as "shop-*"';

/** Whether `text` is a kind pattern: characters of a kind, and `*` for any number of characters. */
export function isKindPattern(text: unknown): text is string {
  return typeof text === "string" && text.length <= PATTERN_LENGTH_MAX &&
    /^[A-Za-z0-9._:*-]+$/.test(text);
}

/**
 * Whether a text matches a pattern in which `*` matches any characters. Takes time linear in both
 * lengths.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of rest) {
    // The earliest match leaves the most text for the remaining parts.
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether any of the patterns matches a kind. */
export function includesKind(patterns: readonly string[], kind: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, kind));
}
