/** A part of a line that looks the same throughout. */
export interface AnsiSpan {
  readonly text: string;
  /** Classes such as "fg-1 bold"; empty for plain text. */
  readonly look: string;
}

/** Terminal sequences: colors, and others (cursor moves, titles), which are dropped. */
// deno-lint-ignore no-control-regex
const SEQUENCE = /\u001b(?:\[([0-9;:]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
/** Other control characters, which a browser would show as boxes. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** Characters that reorder text: a log must not look like another. */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;

function clean(text: string): string {
  return text.replace(CONTROL, "").replace(BIDI, "\ufffd");
}

/** A line without its colors. */
export function withoutAnsi(line: string): string {
  return clean(line.replace(SEQUENCE, ""));
}

interface Look {
  readonly color: number | null;
  readonly background: number | null;
  readonly attributes: ReadonlySet<string>;
}

const PLAIN: Look = { color: null, background: null, attributes: new Set() };
const ATTRIBUTES: Readonly<Record<number, string>> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underlined",
  7: "inverse",
  9: "struck",
};
const ENDS: Readonly<Record<number, readonly string[]>> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underlined"],
  27: ["inverse"],
  29: ["struck"],
};

/** The nearest of the terminal's 16 colors to red, green and blue from 0 to 255. */
function nearestColor(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (most < 48) return 0;
  const bits = [red, green, blue].reduce(
    (sum, part, index) => sum + (part > most * 0.6 ? 1 << index : 0),
    0,
  );
  return most > 200 ? bits + 8 : bits;
}

/** The nearest of the 16 colors to one of the palette of 256. */
function ofPalette(index: number): number {
  if (index < 16) return index;
  if (index >= 232) {
    const gray = (index - 232) * 10 + 8;
    return nearestColor(gray, gray, gray);
  }
  const step = (part: number) => part === 0 ? 0 : part * 40 + 55;
  const at = index - 16;
  return nearestColor(step(Math.floor(at / 36)), step(Math.floor(at / 6) % 6), step(at % 6));
}

/** Read an extended color behind 38 or 48. @returns the color and the number of codes read */
function extended(codes: readonly number[], at: number): { color: number | null; read: number } {
  if (codes[at + 1] === 5) return { color: ofPalette(codes[at + 2] ?? 0), read: 2 };
  if (codes[at + 1] !== 2) return { color: null, read: 0 };
  const [red = 0, green = 0, blue = 0] = codes.slice(at + 2, at + 5);
  return { color: nearestColor(red, green, blue), read: 4 };
}

function withAttribute({ attributes, ...rest }: Look, code: number): Look {
  const next = new Set(attributes);
  if (ATTRIBUTES[code] !== undefined) next.add(ATTRIBUTES[code]);
  for (const name of ENDS[code] ?? []) next.delete(name);
  return { ...rest, attributes: next };
}

/** The look after a sequence of colors and attributes. */
function nextLook(before: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map((text) => text === "" ? 0 : Number(text));
  let look = before;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at]!;
    if (code === 0) look = PLAIN;
    else if (code >= 30 && code <= 37) look = { ...look, color: code - 30 };
    else if (code >= 90 && code <= 97) look = { ...look, color: code - 82 };
    else if (code >= 40 && code <= 47) look = { ...look, background: code - 40 };
    else if (code >= 100 && code <= 107) look = { ...look, background: code - 92 };
    else if (code === 39) look = { ...look, color: null };
    else if (code === 49) look = { ...look, background: null };
    else if (code === 38 || code === 48) {
      const { color, read } = extended(codes, at);
      look = code === 38 ? { ...look, color } : { ...look, background: color };
      at += read;
    } else look = withAttribute(look, code);
  }
  return look;
}

function classesOf({ color, background, attributes }: Look): string {
  return [
    ...(color === null ? [] : [`fg-${color}`]),
    ...(background === null ? [] : [`bg-${background}`]),
    ...attributes,
  ].join(" ");
}

/** The parts of a line by their look, without other sequences and control characters. */
export function parseAnsi(line: string): readonly AnsiSpan[] {
  if (!line.includes("\u001b")) return [{ text: clean(line), look: "" }];
  const spans: AnsiSpan[] = [];
  let look = PLAIN;
  let from = 0;
  const add = (text: string) => {
    const shown = clean(text);
    if (shown !== "") spans.push({ text: shown, look: classesOf(look) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") look = nextLook(look, match[1]!);
  }
  add(line.slice(from));
  return spans;
}
