const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const AFTER_NAME = /\s*:/y;

/**
 * The path of the first member that JSON text gives twice, such as `arguments.day` or `days[2].at`;
 * null if there is none. `JSON.parse` keeps only the last member of each name.
 *
 * @param value the parsed text
 */
export function repeatedMember(text: string, value: unknown): string | null {
  // Nearly always both agree, and counting is much faster than collecting names.
  return countWritten(text) === countMembers(value) ? null : findRepeated(text);
}

/** The number of members in a text: its colons outside of strings. */
function countWritten(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === COLON) count += 1;
    else if (unit === QUOTE) at = endOfString(text, at);
  }
  return count;
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countMembers(item);
    return count;
  }
  for (const key in value) count += 1 + countMembers((value as Record<string, unknown>)[key]);
  return count;
}

/** Index of the closing quote of the string at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1);; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1;
    // After an odd number of backslashes, the quote belongs to the string.
    if (slashes % 2 === 0) return end;
  }
}

/** A level of nesting: an object with the names it has had, or an array. */
interface Level {
  readonly names: Set<string> | null;
  /** Name or index of the value that is being read. */
  key: string | number;
}

function findRepeated(text: string): string | null {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const level = levels.at(-1);
    if (unit === OPEN_OBJECT) levels.push({ names: new Set(), key: "" });
    else if (unit === OPEN_ARRAY) levels.push({ names: null, key: 0 });
    else if (unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) levels.pop();
    else if (unit === COMMA && typeof level?.key === "number") level.key += 1;
    else if (unit === QUOTE) {
      const end = endOfString(text, at);
      if (level?.names && isName(text, end)) {
        level.key = JSON.parse(text.slice(at, end + 1)) as string;
        if (level.names.has(level.key)) return pathOf(levels);
        level.names.add(level.key);
      }
      at = end;
    }
  }
  return null;
}

/** True if a colon follows the string that ends at `end`. */
function isName(text: string, end: number): boolean {
  AFTER_NAME.lastIndex = end + 1;
  return AFTER_NAME.test(text);
}

function pathOf(levels: readonly Level[]): string {
  return levels.map(({ key }, index) =>
    typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`
  ).join("");
}
