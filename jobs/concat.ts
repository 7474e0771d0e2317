/** What to join. */
interface Words {
  /** In this order. */
  words: string[];
  /** Stands between two words; a space when it is missing. */
  separator?: string;
}

/** Joins words: an object goes in, as a value or as JSON text, and an object comes out. */
export default function concat(
  { words, separator = " " }: Words,
): { text: string; length: number } {
  const text = words.join(separator);
  return { text, length: text.length };
}
