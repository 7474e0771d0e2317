/** Shortest text that a {@link TextMatcher} can find, in characters. */
export const MATCH_LENGTH_MIN = 6;

/** Characters per block. */
const BLOCK = 3;
const TABLE_SIZE = 65_536;

/** A part of a text, from `start` up to but not including `end`. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** Texts with a common beginning. There can be thousands, such as `postgres://` URLs. */
interface Family {
  /** Length of the shortest one. */
  readonly sharedLength: number;
  /** Keyed by their first characters, longest first. */
  readonly byBeginning: ReadonlyMap<string, readonly string[]>;
}

/**
 * Finds many texts in one pass, by Wu and Manber's algorithm: a table gives the possible skip after
 * each block of three characters, so that with few texts about one character in four is examined.
 */
export class TextMatcher {
  /** Length of the longest search text. */
  readonly lengthMax: number;
  readonly #skips = new Uint8Array(TABLE_SIZE).fill(MATCH_LENGTH_MIN - BLOCK + 1);
  /** The texts by their first characters. */
  readonly #families: ReadonlyMap<string, Family>;

  /** @param texts each at least {@link MATCH_LENGTH_MIN} characters long */
  constructor(texts: Iterable<string>) {
    let lengthMax = 0;
    const families = Map.groupBy(texts, (text) => text.slice(0, MATCH_LENGTH_MIN));
    for (const [beginning, alike] of families) {
      for (let end = BLOCK; end <= MATCH_LENGTH_MIN; end++) {
        const block = blockAt(beginning, end - 1);
        this.#skips[block] = Math.min(this.#skips[block]!, MATCH_LENGTH_MIN - end);
      }
      for (const { length } of alike) lengthMax = Math.max(lengthMax, length);
    }
    this.#families = new Map([...families].map(([key, alike]) => [key, familyOf(alike)]));
    this.lengthMax = lengthMax;
  }

  /** The ranges of `text` covered by matches, in order; touching and overlapping ones merged. */
  *ranges(text: string): Generator<TextRange> {
    let open: TextRange | null = null;
    for (let found = this.#find(text, 0); found !== null;) {
      if (open === null) open = found;
      else if (found.start <= open.end) {
        open = { start: open.start, end: Math.max(open.end, found.end) };
      } else {
        yield open;
        open = found;
      }
      found = this.#find(text, found.start + 1);
    }
    if (open !== null) yield open;
  }

  #find(text: string, from: number): TextRange | null {
    // Index of the last character of the window in which a match would begin.
    for (let at = from + MATCH_LENGTH_MIN - 1; at < text.length;) {
      const skip = this.#skips[blockAt(text, at)]!;
      if (skip > 0) {
        at += skip;
        continue;
      }
      const start = at - MATCH_LENGTH_MIN + 1;
      const family = this.#families.get(text.slice(start, at + 1));
      const found = family?.byBeginning.get(text.slice(start, start + family.sharedLength))
        ?.find((each) => text.startsWith(each, start));
      if (found !== undefined) return { start, end: start + found.length };
      at += 1;
    }
    return null;
  }
}

function familyOf(texts: readonly string[]): Family {
  const sharedLength = texts.reduce((least, { length }) => Math.min(least, length), Infinity);
  const longestFirst = texts.toSorted((a, b) => b.length - a.length);
  const byBeginning = Map.groupBy(longestFirst, (text) => text.slice(0, sharedLength));
  return { sharedLength, byBeginning };
}

/** A number for the three characters that end at `at`. */
function blockAt(text: string, at: number): number {
  const hash = text.charCodeAt(at - 2) << 10 ^ text.charCodeAt(at - 1) << 5 ^ text.charCodeAt(at);
  return hash & (TABLE_SIZE - 1);
}
