import type { DocsPage } from "../../docs/pages.ts";
import type { RecordView } from "../../output/view.ts";
import type { Hit } from "../../docs/search.ts";
import { PLAIN_COLUMNS } from "../../io/io.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";

const PAGE_VIEW: RecordView<DocsPage> = {
  name: ({ name }) => name,
  fields: { page: ({ name }) => name, title: titleOf, about: aboutOf },
  columns: [
    { title: "PAGE", weight: 9, cell: ({ name }) => name },
    { title: "TITLE", cell: titleOf },
    { title: "ABOUT", cell: aboutOf, least: 12 },
  ],
};

const HIT_VIEW: RecordView<Hit> = {
  name: ({ section }) => section,
  fields: { page: ({ section }) => section, line: ({ line }) => line, text: ({ text }) => text },
  columns: [
    { title: "PAGE", weight: 9, cell: ({ section }) => section },
    { title: "LINE", cell: ({ line }) => line },
    { title: "TEXT", cell: ({ text }) => text, least: 12 },
  ],
};

function titleOf({ text }: DocsPage): string {
  return /^# (.*)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? "";
}

/** The first sentence of a page. */
function aboutOf({ text }: DocsPage): string {
  const paragraph = text.split(/\n{2,}/).find((part) => !part.startsWith("#")) ?? "";
  const plain = paragraph.replaceAll(/\s+/g, " ").replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1")
    .replaceAll("`", "").trim();
  return /^.*?[.:](?= |$)/.exec(plain)?.[0].slice(0, -1) ?? plain;
}

/** `jobctl docs [PAGE]` */
export const DOCS: Verb = {
  name: "docs",
  summary: "Show the documentation, which is inside the program",
  details: [
    "Without a page it lists all pages. A page may be followed by a section, as links name it:",
    "cli#exit-codes. On a terminal the program of the variable PAGER shows the page, or less.",
  ].join(" "),
  words: [
    {
      name: "PAGE",
      describe: "Name of a page, such as tutorial",
      offers: "page",
      isOptional: true,
    },
  ],
  options: {
    search: {
      alias: "s",
      value: "TEXT",
      describe: "List the lines that have these words, with the page and the section of each",
    },
  },
  examples: [
    ["jobctl docs", "All pages"],
    ["jobctl docs tutorial", "One page"],
    ["jobctl docs cli#exit-codes", "One section"],
    ["jobctl docs --search 'time zone'", "Where something is written"],
  ],
  isOffline: true,
  async run(args, context) {
    const { loadPages } = await import("../../docs/pages.ts");
    const pages = await loadPages();
    const wanted = args.text("search");
    if (wanted !== undefined) return await search(pages, wanted, args, context);
    const page = args.word("PAGE");
    if (page === "") return await context.printer.list(PAGE_VIEW, pages);
    await show(pages, page, context);
  },
};

async function search(
  pages: readonly DocsPage[],
  wanted: string,
  args: Args,
  { printer }: VerbContext,
): Promise<void> {
  if (args.word("PAGE") !== "") {
    throw usageError(
      "Cannot search one page: --search is about all of them",
      "Leave out the page, or --search",
    );
  }
  const { HITS_MAX, searchPages } = await import("../../docs/search.ts");
  const hits = searchPages(pages, wanted);
  await printer.list(HIT_VIEW, hits, "No section has all of these words. Try fewer");
  if (hits.length === HITS_MAX) await printer.note(`These are the first ${HITS_MAX}`);
}

async function show(
  pages: readonly DocsPage[],
  given: string,
  { io, printer }: VerbContext,
): Promise<void> {
  const { pageLines, readPart } = await import("../../docs/show.ts");
  const part = readPart(pages, given);
  if (!printer.isHuman) {
    return await printer.details({ page: part.name, text: part.lines.join("\n") }, part.name, []);
  }
  const hasColor = printer.paint("x", "bad") !== "x";
  const lines = pageLines(part, { columns: io.isTerminal ? io.columns : PLAIN_COLUMNS, hasColor });
  const text = `${lines.join("\n")}\n`;
  if (io.page !== undefined && await io.page(text)) return;
  await printer.text(text);
}
