// The parts of crontab lines, split as in cronie's env.c and do_command.c and in Debian's cron.

import { PROTOTYPE_KEYS } from "../../core/text/object_keys.ts";

/** Longest description made of comments, in characters. */
const COMMENT_LENGTH_MAX = 200;

/**
 * An assignment as cronie's load_env() reads it: quotes around name and value, blanks around `=`.
 *
 * @returns null if the line is not an assignment
 */
export function readAssignment(text: string): readonly [name: string, value: string] | null {
  const match = /^(?:"([^"=]*)"|'([^'=]*)'|([^\s=]+))\s*=\s*(.*)$/.exec(text.trim());
  if (match === null) return null;
  const name = match[1] ?? match[2] ?? match[3]!;
  const value = match[4]!;
  const quote = /^["']/.exec(value)?.[0];
  if (quote === undefined) return [name, value];
  const end = value.indexOf(quote, 1);
  // With an unclosed quote, or text after the closing one, it is not an assignment.
  return end === value.length - 1 && end > 0 ? [name, value.slice(1, -1)] : null;
}

/** Why a variable cannot be carried over, in words; null if it can. */
export function variableProblem(name: string): string | null {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !PROTOTYPE_KEYS.has(name)) return null;
  const wanted = PROTOTYPE_KEYS.has(name)
    ? "a configuration cannot have this name"
    : 'a name has letters, digits and "_"';
  return `the variable "${name}" is not carried over: ${wanted}`;
}

/**
 * Split a command line like cron does. The first `%` ends the command, and later ones are newlines
 * of its input; `\%` is a percent sign. In the command a backslash escapes a backslash, so `\\%`
 * ends the command. In the input it does not.
 *
 * @param isDebian true if two backslashes in the command become one
 */
export function splitCommand(
  text: string,
  isDebian = false,
): { readonly command: string; readonly stdin: string | null } {
  const [whole = ""] = /^(?:[^%\\]|\\.|\\$)*/s.exec(text) ?? [];
  const command = whole.replaceAll(
    /\\(.)/gs,
    (pair, next) => next === "%" || isDebian && next === "\\" ? next : pair,
  );
  if (whole.length === text.length) return { command, stdin: null };
  const stdin = text.slice(whole.length + 1).replaceAll(
    /\\%|%/g,
    (found) => found === "%" ? "\n" : "%",
  );
  return { command, stdin: stdin === "" || stdin.endsWith("\n") ? stdin : `${stdin}\n` };
}

// Many crontabs have drawings and headers above their lines, which describe no line.
function isDecoration(comment: string): boolean {
  return /^[\s|.*+=_-]*$/.test(comment) || /^[|.\s-]*\b(m|min|minute)\b.*\bh/i.test(comment) ||
    /\|/.test(comment) || /^Example of job definition/i.test(comment);
}

function isDisabledLine(comment: string): boolean {
  return /^(@\w+\s|([\d*][\d*,/~-]*\s+){2})/.test(comment);
}

/** The comment above a line, in one line; null if it does not describe the line. */
export function joinComments(comments: readonly string[]): string | null {
  const texts = comments.map((text) => text.replace(/^#+\s*/, "").trim());
  if (texts.some(isDecoration)) return null;
  const joined = texts.filter((text) => !isDisabledLine(text)).join(" ")
    // deno-lint-ignore no-control-regex
    .replaceAll(/[\x00-\x1f\x7f]+/g, " ").trim();
  return joined === "" ? null : joined.slice(0, COMMENT_LENGTH_MAX);
}
