import { displayWidth } from "./table.ts";

/** Settings for breaking text into lines. */
export interface WrapOptions {
  /** Prefix of every line but the first. */
  readonly hanging?: string;
  /** Cells that a word takes; for words with codes for colors. */
  readonly widthOf?: (word: string) => number;
}

/** Text in lines of at most `width` cells. It is broken at blanks; a longer word stays whole. */
export function wrap(
  text: string,
  width: number,
  { hanging = "", widthOf = displayWidth }: WrapOptions = {},
): string[] {
  const lines: string[] = [];
  let line = "";
  let used = 0;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    const wordWidth = widthOf(word);
    if (isEmpty || used + 1 + wordWidth <= width) {
      line += isEmpty ? word : ` ${word}`;
      used += wordWidth + (isEmpty ? 0 : 1);
    } else {
      lines.push(line);
      line = hanging + word;
      used = displayWidth(hanging) + wordWidth;
    }
    isEmpty = false;
  }
  return [...lines, line];
}
