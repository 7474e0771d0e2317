/** Longest kind, in characters. */
export const KIND_LENGTH_MAX = 200;

/** A kind in words. */
export const KIND_WANTED =
  `1 to ${KIND_LENGTH_MAX} printable characters, with blanks only between others`;

// Letters, marks, numbers, punctuation and symbols of any script. Not control characters, line
// ends, other blanks, or marks that are invisible or reorder their neighbors: different kinds could
// then look the same.
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
// Letters and marks that show nothing, such as the Hangul filler, and the empty braille pattern.
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Start of the product's own kinds. */
export const RESERVED_KIND_PREFIX = "system.";

/** True if a kind is of the product itself, not of its user. */
export function isSystemKind(kind: string): boolean {
  return kind.startsWith(RESERVED_KIND_PREFIX);
}

/** Why a text cannot be a kind, in words; null if it can. */
export function kindProblem(kind: string): string | null {
  if (kind === "") return "it is empty";
  if (kind.length > KIND_LENGTH_MAX) {
    return `${kind.length} characters, at most ${KIND_LENGTH_MAX} are allowed`;
  }
  if (!PRINTABLE.test(kind) || INVISIBLE.test(kind)) {
    return "it has characters that are not printable";
  }
  return kind.trim() === kind ? null : "it begins or ends with a blank";
}

/**
 * A kind as one word, for keys in which a blank ends it. Blanks and percent signs are escaped like
 * in a URL, so that different kinds give different words.
 */
export function kindWord(kind: string): string {
  return kind.replaceAll("%", "%25").replaceAll(" ", "%20");
}

/** The kind of a word that {@link kindWord} made. */
export function kindOfWord(word: string): string {
  return word.replaceAll("%20", " ").replaceAll("%25", "%");
}
