import { unicodeEscape } from "../../core/text/safe_text.ts";
import { withoutAnsi } from "./ansi.ts";

/**
 * Characters that nobody sees: they reorder text or hide in it. Joiners of scripts and of emojis
 * (U+200C, U+200D) and selectors of variants are left, words need them.
 */
const UNSEEN =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
/** What most texts have none of: a quick look spares them the rest. */
const SUSPECT = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u;

/**
 * A text as it is shown: without sequences of terminals and control characters, and with "\ufffd"
 * for each character that reorders text or cannot be seen. It cannot look like another.
 */
export function visibleText(text: string): string {
  return SUSPECT.test(text) ? withoutAnsi(text).replace(UNSEEN, "\ufffd") : text;
}

/** JSON in which each character that cannot be seen is an escape: the same value, but it shows. */
export function visibleJson(json: string): string {
  return json.replace(
    UNSEEN,
    (found) => found.replace(/[^]/g, unicodeEscape),
  );
}
