import { kindProblem } from "./kind.ts";

/** Most patterns of one scope. */
export const PATTERNS_MAX = 100;

/** Format of a kind pattern, for messages. */
export const PATTERN_WANTED = 'the kind of a job, or a pattern such as "shop-*"';

/** A star that matches any characters; one after a backslash is a literal star. */
const STAR = /(?<!\\)\*/;

/** True if `text` is a pattern of kinds: `*` matches any characters, and `\*` is a literal star. */
export function isKindPattern(text: unknown): text is string {
  return typeof text === "string" && kindProblem(text) === null;
}

/** The only kind that a pattern matches; null if it may match several. */
export function onlyKindOf(pattern: string): string | null {
  return STAR.test(pattern) ? null : literal(pattern);
}

/** True if a text matches a pattern in which `*` matches any characters. Takes linear time. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split(STAR).map(literal);
  const last = rest.pop();
  if (last === undefined) return text === first;
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

function literal(part: string): string {
  return part.replaceAll("\\*", "*");
}

/** True if any of the patterns matches a kind. */
export function includesKind(patterns: readonly string[], kind: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, kind));
}
