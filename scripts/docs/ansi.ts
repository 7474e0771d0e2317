// What a terminal shows, as a picture: text with the colors and weights of ANSI (SGR) becomes SVG.

const CHAR_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 18;
const BAR_HEIGHT = 30;

/** Colors by SGR number, for a light and a dark screen. Bright ones look like the plain ones. */
const COLORS: Readonly<Record<number, readonly [light: string, dark: string]>> = {
  31: ["#cf222e", "#ff7b72"],
  32: ["#116329", "#3fb950"],
  33: ["#7d4e00", "#d29922"],
  34: ["#0550ae", "#79c0ff"],
  35: ["#8250df", "#d2a8ff"],
  36: ["#1b7c83", "#56d4dd"],
  90: ["#57606a", "#8b949e"],
};

/** Text of one look: names of classes, separated by blanks. */
export interface Run {
  readonly text: string;
  readonly classes: string;
}

interface Look {
  bold: boolean;
  dim: boolean;
  underline: boolean;
  reverse: boolean;
  color: number | null;
}

const PLAIN: Look = { bold: false, dim: false, underline: false, reverse: false, color: null };

/** The lines that a terminal of `columns` characters shows. Movements of the cursor are ignored. */
export function readAnsi(text: string, columns: number): readonly (readonly Run[])[] {
  const look = { ...PLAIN };
  const lines: Run[][] = [[]];
  let column = 0;
  // deno-lint-ignore no-control-regex
  for (const part of text.split(/(\u001b\[[\d;]*[A-Za-z]|\n)/)) {
    if (part === "\n") {
      lines.push([]);
      column = 0;
      continue;
    }
    if (part.startsWith("\u001b")) {
      if (part.endsWith("m")) {
        part.slice(2, -1).split(";").forEach((code) => apply(look, Number(code)));
      }
      continue;
    }
    let rest = Array.from(part);
    while (rest.length > 0) {
      if (column === columns) {
        lines.push([]);
        column = 0;
      }
      const taken = rest.slice(0, columns - column);
      lines.at(-1)!.push({ text: taken.join(""), classes: classesOf(look) });
      column += taken.length;
      rest = rest.slice(taken.length);
    }
  }
  return lines;
}

function apply(look: Look, code: number): void {
  if (code === 0) Object.assign(look, PLAIN);
  else if (code === 1) look.bold = true;
  else if (code === 2) look.dim = true;
  else if (code === 4) look.underline = true;
  else if (code === 7) look.reverse = true;
  else if (code === 27) look.reverse = false;
  else if (code === 22) Object.assign(look, { bold: false, dim: false });
  else if (code === 24) look.underline = false;
  else if (code === 39) look.color = null;
  else if (code in COLORS) look.color = code;
  else if (code >= 91 && code <= 96) look.color = code - 60;
}

function classesOf({ bold, dim, underline, reverse, color }: Look): string {
  const classes = [
    reverse && "reverse",
    bold && "bold",
    dim && "dim",
    underline && "line",
    color !== null && `c${color}`,
  ];
  return classes.filter(Boolean).join(" ");
}

/**
 * A terminal as SVG, for light and dark pages.
 *
 * @param options.columns width in characters
 * @param options.title the text for those who do not see it
 */
export function terminalPicture(
  text: string,
  { columns, title }: { readonly columns: number; readonly title: string },
): string {
  const lines = readAnsi(text.trimEnd(), columns);
  const width = Math.round(columns * CHAR_WIDTH + 2 * MARGIN);
  const height = BAR_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  const rows = lines.map((runs, index) => {
    const y = BAR_HEIGHT + (index + 1) * LINE_HEIGHT;
    const spans = runs.map(({ text, classes }) =>
      classes === "" ? escaped(text) : `<tspan class="${classes}">${escaped(text)}</tspan>`
    );
    const line = `<text x="${MARGIN}" y="${y}">${spans.join("")}</text>`;
    return spans.length === 0 ? "" : reversedCells(runs, y) + line;
  });
  const dots = [0, 1, 2].map((index) =>
    `<circle class="dot" cx="${MARGIN + 4 + 18 * index}" cy="18" r="5"/>`
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">
<title id="title">${escaped(title)}</title>
<style>
${styles(0)}
@media (prefers-color-scheme: dark) {
${styles(1)}
}
</style>
<rect class="screen" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="9"/>
${dots.join("\n")}
${rows.filter((row) => row !== "").join("\n")}
</svg>
`;
}

/** What is behind the reversed text of a line. */
function reversedCells(runs: readonly Run[], y: number): string {
  let column = 0;
  return runs.map(({ text, classes }) => {
    const [x, width] = [column, Array.from(text).length].map((cells) => cells * CHAR_WIDTH);
    column += Array.from(text).length;
    if (!classes.split(" ").includes("reverse")) return "";
    const place = `x="${(MARGIN + x!).toFixed(1)}" y="${y - LINE_HEIGHT + 5}"`;
    return `<rect class="cells" ${place} width="${width!.toFixed(1)}" height="${LINE_HEIGHT}"/>`;
  }).join("");
}

function styles(theme: 0 | 1): string {
  const [ink, paper, edge] = theme === 0
    ? ["#1f2328", "#ffffff", "#d0d7de"]
    : ["#e6edf3", "#0d1117", "#30363d"];
  return [
    'text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; ' +
    `fill: ${ink}; }`,
    `.screen { fill: ${paper}; stroke: ${edge}; }`,
    `.dot { fill: ${edge}; }`,
    `.cells { fill: ${ink}; } tspan.reverse { fill: ${paper}; }`,
    ".bold { font-weight: 700; } .dim { opacity: 0.65; } .line { text-decoration: underline; }",
    ...Object.entries(COLORS).map(([code, colors]) => `.c${code} { fill: ${colors[theme]}; }`),
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
