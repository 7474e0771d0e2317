import { unicodeEscape } from "../../core/text/safe_text.ts";
import { withoutAnsi } from "./ansi.ts";

/**
 * Invisible characters: they reorder text or hide in it. Joiners (U+200C, U+200D) and variant
 * selectors are kept: words and emojis need them.
 */
const UNSEEN =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
/** Characters that most texts lack: one test skips the rest. */
const SUSPECT = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u;

/**
 * A text as shown: without terminal sequences and control characters, and with "\ufffd" for each
 * invisible character. It cannot look like another.
 */
export function visibleText(text: string): string {
  return SUSPECT.test(text) ? withoutAnsi(text).replace(UNSEEN, "\ufffd") : text;
}

/** JSON in which each invisible character is an escape: the same value, made visible. */
export function visibleJson(json: string): string {
  return json.replace(
    UNSEEN,
    (found) => found.replace(/[^]/g, unicodeEscape),
  );
}
