// Control characters (C0, DEL, C1), line and paragraph separators, and marks that reorder text.
// deno-lint-ignore no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
// Characters among them that JSON.stringify does not escape.
const HIDDEN_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeOf(character: string): string {
  const named = NAMED[character];
  if (named) return named;
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : unicodeEscape(character);
}

/** The escape of a text's first unit in JSON and JavaScript: `\u202e`. */
export function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Text as one line that cannot control a terminal: control characters are escaped, as `\x1b`. */
export function makeVisible(text: string): string {
  return text.replaceAll(HIDDEN, escapeOf);
}

/** Like {@link makeVisible}, but keeps line breaks. */
export function makeLinesVisible(text: string): string {
  return text.split(/\r?\n/).map(makeVisible).join("\n");
}

/** JSON text of the same value, without characters that control a terminal. */
export function makeJsonVisible(json: string): string {
  return json.replaceAll(HIDDEN_IN_JSON, unicodeEscape);
}
