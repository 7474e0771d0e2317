/** A line from a shell, up to the cursor. */
export interface ShellLine {
  /** The words without their quotes; the last one is completed. */
  readonly words: readonly string[];
  /** Positions of words that only the shell could expand. */
  readonly unclear?: ReadonlySet<number>;
  /** True if the shell itself picks the words that match the typed text. */
  readonly picks?: boolean;
  /** The text with which the shell replaces the last word; null if impossible there. */
  readonly insert?: (name: string, head: string) => string | null;
}

/** A word without its quotes. */
interface Unquoted {
  readonly text: string;
  /** The quote that is open at its end; empty for none. */
  readonly quote: string;
  /** True if only the shell could expand it. */
  readonly isUnclear: boolean;
}

const WORDS_MAX = 1_000;

/**
 * Read the input sent by a script of {@link shellScript}: from `bash` its separators and the line,
 * each with a zero at its end; from `zsh` the words as typed; from `fish` the words without quotes,
 * except the last one; from others (`line`) a JSON array.
 *
 * @returns null for an unknown shell or invalid input
 */
export function readShellLine(shell: string, input: string): ShellLine | null {
  const parts = input.split("\0").slice(0, -1);
  if (parts.length > WORDS_MAX) return null;
  switch (shell) {
    case "bash":
      return parts.length === 2 ? ofBash(parts[0]!, parts[1]!) : null;
    case "zsh":
      return { ...unquoteAll(parts), picks: true };
    case "fish": {
      const unclear = positions(parts.map((word) => /[$(]/.test(word)));
      const last = parts.slice(-1).map((word) => unquote(word).text);
      return { words: [...parts.slice(0, -1), ...last], unclear, picks: true };
    }
    case "line":
      return { words: readWords(input) };
    default:
      return null;
  }
}

/** The words of a JSON array. Empty if it is not one. */
function readWords(text: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(text);
    const isList = Array.isArray(words) && words.length <= WORDS_MAX &&
      words.every((word) => typeof word === "string");
    return isList ? words : [];
  } catch {
    return [];
  }
}

function ofBash(separators: string, line: string): ShellLine {
  const typed = splitWords(line);
  const { quote, isUnclear } = unquote(typed.at(-1)!);
  return {
    ...unquoteAll(typed),
    insert(name, head) {
      const last = typed.at(-1)!.slice(head.length);
      // A quote that opens within the word.
      if (isUnclear || (quote !== "" && !last.startsWith(quote))) return null;
      const text = quoted(name, quote);
      // Bash replaces only the text after the last separator.
      const ends = [...":="].filter((end) => quote === "" && separators.includes(end))
        .map((end) => last.lastIndexOf(end) + 1);
      const kept = last.slice(0, Math.max(0, ...ends));
      if (text === null || !text.startsWith(kept)) return null;
      const begin = kept + quote === "" && !separators.includes("=") ? head : "";
      return begin + text.slice(kept.length);
    },
  };
}

/** The words of a line of bash, as typed. The last one is empty after a blank. */
function splitWords(line: string): string[] {
  const found = [...line.matchAll(/(?:\\.?|'[^']*'?|"(?:\\.|[^"\\])*\\?"?|[^\s\\'"])+/gs)];
  const last = found.at(-1);
  const words = found.map(([word]) => word);
  return last !== undefined && last.index + last[0].length === line.length ? words : [...words, ""];
}

function unquoteAll(typed: readonly string[]): Pick<ShellLine, "words" | "unclear"> {
  const words = typed.map(unquote);
  const unclear = positions(words.map(({ isUnclear }) => isUnclear));
  return { words: words.map(({ text }) => text), unclear };
}

function positions(marks: readonly boolean[]): Set<number> {
  return new Set(marks.flatMap((isMarked, index) => isMarked ? [index] : []));
}

function unquote(word: string): Unquoted {
  let text = "";
  let quote = "";
  let isUnclear = false;
  for (let index = 0; index < word.length; index++) {
    const char = word[index]!;
    const next = word[index + 1] ?? "";
    if (char === quote) {
      quote = "";
    } else if (quote === "" && /['"]/.test(char)) {
      quote = char;
    } else if (char === "\\" && (quote === "" || (quote === '"' && /[$`"\\]/.test(next)))) {
      text += next;
      index += 1;
    } else {
      isUnclear ||= quote !== "'" && /[$`]/.test(char);
      text += char;
    }
  }
  return { text, quote, isUnclear };
}

/** A word as bash reads it after an open quote; null if impossible there. */
function quoted(word: string, quote: string): string | null {
  if (quote === "'") return word.includes("'") ? null : word;
  if (quote === "") return word.replaceAll(/[^\w@%+=:,./\u0080-\uffff-]/g, "\\$&");
  // Bash expands "!" even after a backslash.
  return word.includes("!") ? null : word.replaceAll(/[\\"$`]/g, "\\$&");
}
