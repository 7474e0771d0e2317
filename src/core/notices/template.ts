import { JobError } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";

/** Everything that a template may name, each as `{{name}}`; absent values are empty. */
export const PLACEHOLDERS = [
  "id",
  "event",
  "severity",
  "status",
  "title",
  "facts",
  "error",
  "output",
  "command",
  "text",
  "subject",
  "subject_type",
  "job",
  "host",
  "node",
  "channel",
  "at",
  "run_id",
  "attempt",
  "exit_code",
  "version",
  "incident_id",
  "count",
  "opened_at",
] as const;

/** The name of a value of a notice. */
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** The values of one notice. */
export type PlaceholderValues = Readonly<Record<Placeholder, string>>;

/** Text of a template, with placeholders. */
export type TemplateNode =
  | string
  | number
  | boolean
  | null
  | Cut
  | When
  | readonly TemplateNode[]
  | { readonly [key: string]: TemplateNode };

/** A text of limited length once filled; its values are cut, not its own text. */
export class Cut {
  readonly text: string;
  readonly max: number;
  /** JavaScript characters, or bytes of UTF-8. */
  readonly unit: "characters" | "bytes";

  constructor(text: string, max: number, unit: "characters" | "bytes" = "characters") {
    this.text = text;
    this.max = max;
    this.unit = unit;
  }
}

/** A part that is omitted from its list or table if a value is empty. */
export class When {
  readonly name: Placeholder;
  readonly node: TemplateNode;

  constructor(name: Placeholder, node: TemplateNode) {
    this.name = name;
    this.node = node;
  }
}

/** Writes a character of a value in the form that its place requires. */
export type Escape = (character: string, name: Placeholder) => string;

/** A template that was read by {@link parseTemplate}. */
export type Template =
  | { readonly type: "json"; readonly node: TemplateNode }
  | { readonly type: "text"; readonly text: string };

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
/** Longest template, in characters. */
const TEMPLATE_LENGTH_MAX = 20_000;

/**
 * Read a template: JSON, whose strings have placeholders, or any other text with them.
 *
 * @throws JobError `invalid_argument` for an unknown placeholder, or one outside of JSON's strings
 */
export function parseTemplate(text: string): Template {
  if (text.length > TEMPLATE_LENGTH_MAX) {
    throw new JobError(
      "invalid_argument",
      `found a template of ${text.length} characters, wanted at most ${TEMPLATE_LENGTH_MAX}`,
    );
  }
  for (const [whole, name] of text.matchAll(PLACEHOLDER)) {
    if (isPlaceholder(name!)) continue;
    throw new JobError("invalid_argument", `"${whole.slice(0, 60)}" is not a placeholder`, {
      hint: didYouMean(name!, PLACEHOLDERS) ?? `Known ones: ${PLACEHOLDERS.join(", ")}`,
    });
  }
  if (!/^\s*[{[]/.test(text) || /^\s*\{\{/.test(text)) return { type: "text", text };
  try {
    return { type: "json", node: JSON.parse(text) as TemplateNode };
  } catch {
    throw new JobError("invalid_argument", "the template begins like JSON, but is not JSON", {
      hint: 'Put placeholders into strings: {"text": "{{title}}"}',
    });
  }
}

/** Fill a template. Parts omitted by {@link When} are undefined. */
export function fillNode(
  node: TemplateNode,
  values: PlaceholderValues,
  escape: Escape,
): unknown {
  if (typeof node === "string") return fillText(node, values, escape);
  if (node instanceof Cut) return fillCut(node, values, escape);
  if (node instanceof When) {
    return values[node.name] === "" ? undefined : fillNode(node.node, values, escape);
  }
  if (Array.isArray(node)) {
    return node.map((part) => fillNode(part, values, escape)).filter((part) => part !== undefined);
  }
  if (typeof node !== "object" || node === null) return node;
  const filled = Object.entries(node).map(([key, part]) =>
    [key, fillNode(part, values, escape)] as const
  );
  return Object.fromEntries(filled.filter(([, part]) => part !== undefined));
}

/** Fill a text. */
export function fillText(text: string, values: PlaceholderValues, escape: Escape): string {
  return fillCut(new Cut(text, Infinity), values, escape);
}

const ELLIPSIS = "…";

function fillCut(
  { text, max, unit }: Cut,
  values: PlaceholderValues,
  escape: Escape,
): string {
  const length = unit === "bytes" ? bytesOf : (part: string) => part.length;
  const parts = text.split(/(\{\{[^{}]*\}\})/);
  let left = max - length(parts.filter((_, index) => index % 2 === 0).join(""));
  return parts.map((part, index) => {
    const name = part.slice(2, -2).trim();
    if (index % 2 === 0 || !isPlaceholder(name)) return part;
    const characters = Array.from(values[name], (character) => escape(character, name));
    // The end of an output says most.
    const isTail = name === "output";
    const cut = cutTo(isTail ? characters.reverse() : characters, left, length);
    const found = (isTail ? cut.reverse() : cut).join("");
    left -= length(found);
    return found;
  }).join("");
}

function cutTo(
  characters: readonly string[],
  max: number,
  length: (part: string) => number,
): string[] {
  const kept: string[] = [];
  let used = 0;
  for (const character of characters) {
    const size = length(character);
    if (used + size <= max) {
      kept.push(character);
      used += size;
      continue;
    }
    const mark = length(ELLIPSIS);
    while (kept.length > 0 && used + mark > max) used -= length(kept.pop()!);
    return used + mark <= max ? [...kept, ELLIPSIS] : kept;
  }
  return kept;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}
