/** Display of parts of a text. */
export interface InlineStyle {
  readonly hasColor: boolean;
  /** The page of the text, to which relative links belong. */
  readonly page: string;
}

const CODES = { bold: "1", italic: "3", code: "36", dim: "2" } as const;

/** Text in bold. */
export function bold(text: string, hasColor: boolean): string {
  return hasColor ? paintWords(text, "bold") : text;
}

/** Text that matters less. */
export function dim(text: string, hasColor: boolean): string {
  return hasColor ? paintWords(text, "dim") : text;
}

// Each word has its own codes: lines can be broken between any two.
function paintWords(text: string, style: keyof typeof CODES): string {
  return text.replace(/\S+/g, (word) => `\x1b[${CODES[style]}m${word}\x1b[0m`);
}

const PARTS = new RegExp(
  [
    "``(?<wide>.+?)``",
    "`(?<code>[^`]+)`",
    "!\\[(?<picture>[^\\]]*)\\]\\([^)]*\\)",
    "\\[(?<label>(?:`[^`]*`|[^\\]])*)\\]\\((?<target>[^)\\s]+)\\)",
    "<(?<url>https?:[^>]+)>",
    '<a id="[^"]*"></a>',
    "\\*\\*(?<strong>.+?)\\*\\*",
    "(?<![\\w*])\\*(?<soft>[^\\s*](?:[^*]*[^\\s*])?)\\*(?![\\w*])",
    "\\\\(?<escaped>[\\\\`*_{}\\[\\]<>#|-])",
  ].join("|"),
  "g",
);

/** Text with the markup of Markdown, for a terminal. Without colors, code keeps its backticks. */
export function renderInline(text: string, style: InlineStyle): string {
  return text.replace(PARTS, (whole, ...args) => {
    const groups = args.at(-1) as Record<string, string | undefined>;
    const { wide, code, picture, label, target, url, strong, soft, escaped } = groups;
    const literal = wide?.trim() ?? code;
    if (literal !== undefined) return renderCode(literal, style);
    if (picture !== undefined) return dim(`[Picture: ${picture}]`, style.hasColor);
    if (label !== undefined) return renderLink(label, target!, style);
    if (strong !== undefined) {
      return bold(renderInline(strong, { ...style, hasColor: false }), style.hasColor);
    }
    if (soft !== undefined) {
      const inner = renderInline(soft, { ...style, hasColor: false });
      return style.hasColor ? paintWords(inner, "italic") : inner;
    }
    return url ?? escaped ?? (whole.startsWith("<a") ? "" : whole);
  });
}

function renderCode(text: string, { hasColor }: InlineStyle): string {
  return hasColor ? paintWords(text, "code") : `\`${text}\``;
}

/** The text of a link, and its target unless the text contains it. */
function renderLink(label: string, target: string, style: InlineStyle): string {
  const text = renderInline(label, style);
  if (target.startsWith("#")) return text;
  const name = linkedPage(target, style.page);
  const plain = label.replaceAll("`", "");
  const isNamed = name.split("#", 1)[0] === plain.replace(/\.md$/, "");
  if (isNamed) return bold(name, style.hasColor);
  return `${text} ${dim(`(${name})`, style.hasColor)}`;
}

/** Name of a link's target for `jobctl docs`; a URL, or a file of the source, stays as it is. */
function linkedPage(target: string, page: string): string {
  if (/^[a-z]+:/.test(target)) return target;
  const [path, anchor] = target.split("#", 2);
  const parts = page.split("/").slice(0, -1);
  for (const part of path!.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const name = parts.join("/").replace(/\.md$/, "");
  return anchor === undefined ? name : `${name}#${anchor}`;
}
