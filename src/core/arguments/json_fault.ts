/** The place where a text stops being JSON, and the reason. */
export interface JsonFault {
  /** Index of the first wrong character; the text's length if it ends too early. */
  readonly index: number;
  /** The found and the expected token. */
  readonly message: string;
}

const SPACE = /[ \t\r\n]*/y;
// deno-lint-ignore no-control-regex
const STRING = /"(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/y;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
/** Most characters of a wrong word that a message repeats. */
const WORD_SHOWN_MAX = 20;

/** The tokens that may come next. */
type Wanted = "value" | "item or ]" | "name or }" | "name" | ":" | ", or the end" | "end";

const WANTED_TEXT: Readonly<Record<Exclude<Wanted, ", or the end">, string>> = {
  value: "a value",
  "item or ]": "a value or ]",
  "name or }": 'a name such as "day", or }',
  name: 'a name such as "day"',
  ":": "a colon after the name",
  end: "the end of the line",
};

/** The first fault of a text, which JSON parsers report without a place; null for JSON. */
export function findJsonFault(text: string): JsonFault | null {
  const open: ("[" | "{")[] = [];
  let wanted: Wanted = "value";
  let index = skip(SPACE, text, 0);
  for (; index < text.length; index = skip(SPACE, text, index)) {
    const char = text[index]!;
    const inside = open.at(-1);
    const closing = inside === "[" ? "]" : "}";
    if (inside !== undefined && char === closing && mayClose(wanted, inside)) {
      open.pop();
      index += 1;
    } else if (wanted === ", or the end" && char === ",") {
      wanted = inside === "[" ? "value" : "name";
      index += 1;
      continue;
    } else if (wanted === ":" && char === ":") {
      wanted = "value";
      index += 1;
      continue;
    } else if ((wanted === "value" || wanted === "item or ]") && (char === "[" || char === "{")) {
      open.push(char);
      wanted = char === "[" ? "item or ]" : "name or }";
      index += 1;
      continue;
    } else {
      const end = endOfToken(wanted, text, index);
      if (end === index) return faultAt(text, index, wanted, inside);
      index = end;
      if (wanted === "name" || wanted === "name or }") {
        wanted = ":";
        continue;
      }
    }
    wanted = open.length === 0 ? "end" : ", or the end";
  }
  return wanted === "end" ? null : faultAt(text, index, wanted, open.at(-1));
}

function mayClose(wanted: Wanted, inside: "[" | "{"): boolean {
  return wanted === ", or the end" || wanted === (inside === "[" ? "item or ]" : "name or }");
}

/** The end of the expected name or value at `index`; `index` if there is none. */
function endOfToken(wanted: Wanted, text: string, index: number): number {
  const isValue = wanted === "value" || wanted === "item or ]";
  if (!isValue && wanted !== "name" && wanted !== "name or }") return index;
  const end = skip(STRING, text, index);
  return end > index || !isValue ? end : skip(LITERAL, text, index);
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

function faultAt(
  text: string,
  index: number,
  wanted: Wanted,
  inside: "[" | "{" | undefined,
): JsonFault {
  const word = /^(?:[\w.+-]+|[^])/.exec(text.slice(index, index + WORD_SHOWN_MAX))?.[0];
  const found = word === undefined
    ? "it ends"
    : word === '"' && wanted !== ", or the end" && wanted !== "end" && wanted !== ":"
    ? "a text that is not closed or has a character that must be escaped"
    : JSON.stringify(word);
  const right = wanted === ", or the end"
    ? `a comma or ${inside === "[" ? "]" : "}"}`
    : WANTED_TEXT[wanted];
  return { index, message: `found ${found}, wanted ${right}` };
}

/** The index of the value of a member of the outermost object of valid JSON; -1 if absent. */
export function memberIndex(text: string, name: string): number {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char === "{" || char === "[") depth += 1;
    else if (char === "}" || char === "]") depth -= 1;
    if (char !== '"') continue;
    const end = skip(STRING, text, index);
    if (end === index) return -1;
    const after = skip(SPACE, text, end);
    if (depth === 1 && text[after] === ":" && JSON.parse(text.slice(index, end)) === name) {
      return skip(SPACE, text, after + 1);
    }
    index = end - 1;
  }
  return -1;
}
