// Text for man(7). What a macro or an escape would be is written as the character itself.

const NAMED: Readonly<Record<string, string>> = {
  "\\": "\\e",
  // Otherwise a hyphen, which is another character than the dash of an option.
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  '"': "\\(dq",
};

/** Text of one line, with every character as itself. */
export function escapeText(text: string): string {
  const escaped = text.replace(/[\\\-'`^~"]/g, (character) => NAMED[character]!)
    .replace(/[^\x20-\x7e]/gu, (character) => {
      const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
      return `\\[u${code}]`;
    });
  // A dot at the start of a line would begin a macro.
  return escaped.startsWith(".") ? `\\&${escaped}` : escaped;
}

/** Bold text within a line. */
export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

/** Italic text within a line, for what the user replaces. */
export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

/** Text with code in backticks and links as Markdown has them, as text with bold code. */
export function markdownText(text: string): string {
  return text.replaceAll("\\|", "|").replace(/\[([^\]]+)\]\([^)]+\)/g, "$1").split("`")
    .map((part, index) => {
      if (index % 2 === 1) return bold(part);
      // Only at the start of a line would a dot begin a macro.
      return index === 0 ? escapeText(part) : escapeText(part).replace(/^\\&/, "");
    }).join("");
}

/** Lines as they are, in a block of their own. */
export function literal(lines: readonly string[]): string[] {
  return [
    ".PP",
    ".RS 4",
    ".nf",
    ...lines.map((line) => line === "" ? "\\&" : escapeText(line)),
    ".fi",
    ".RE",
  ];
}

/** An entry of a list: what it is about, and the text below it. */
export function entry(tag: string, text: string): string[] {
  return [".TP", tag, text];
}

/** What the first line of a page says. */
export interface PageTitle {
  readonly name: string;
  readonly section: number;
  readonly version: string;
  /** Day of the release: `2026-11-24`. */
  readonly date: string;
}

/** A page from its parts: a heading and the lines below it. Parts without lines are left out. */
export function page(
  { name, section, version, date }: PageTitle,
  parts: readonly (readonly [string, readonly string[]])[],
): string {
  const title = escapeText(name.toUpperCase());
  const lines = [
    `.TH "${title}" ${section} "${date}" "jobctl ${escapeText(version)}" "jobctl"`,
    // Words such as --call-timeout are searched for, so they are not hyphenated.
    ".nh",
    ".ad l",
    ...parts.filter(([, body]) => body.length > 0)
      // A heading begins a paragraph, too.
      .flatMap(([heading, body]) => [`.SH ${heading}`, ...body.slice(body[0] === ".PP" ? 1 : 0)]),
  ];
  return `${lines.join("\n")}\n`;
}
