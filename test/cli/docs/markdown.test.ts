import assert from "node:assert/strict";
import test from "node:test";
import {
  type Block,
  headingsOf,
  parseMarkdown,
  sectionOf,
} from "../../../src/cli/docs/markdown.ts";
import { renderMarkdown } from "../../../src/cli/docs/render.ts";
import { loadPages } from "../../../src/cli/docs/pages.ts";
import { anchorsOf, readPages } from "../../support/docs/pages.ts";

/** A page as a terminal shows it, without colors. */
function shown(text: string, columns = 60): string[] {
  const lines = text.replace(/^\n/, "").split("\n");
  return renderMarkdown(lines, { columns, hasColor: false, page: "howto/backup" });
}

test("renderMarkdown() wraps paragraphs, and keeps code as it is", () => {
  const text = `
# A page

One two three four
five six.

\`\`\`sh
jobctl  status   # a long line that is not broken
\`\`\`
`;
  assert.deepEqual(shown(text, 20), [
    "A page",
    "══════",
    "",
    "One two three four",
    "five six.",
    "",
    "    jobctl  status   # a long line that is not broken",
  ]);
});

test("renderMarkdown() shows lists, in lists too, and numbers", () => {
  const text = `
- one
  goes on
- two:
  1. first
  2. second

  \`\`\`toml
  a = 1
  \`\`\`
- three
`;
  assert.deepEqual(shown(text), [
    "- one goes on",
    "",
    "- two:",
    "",
    "  1. first",
    "  2. second",
    "",
    "      a = 1",
    "",
    "- three",
  ]);
});

test("renderMarkdown() names pages as jobctl docs does", () => {
  const text =
    "See [operations.md](../operations.md#watch), [the limits](limits.md), [here](#x).\n" +
    "- [`x`](https://example.com/x)\n- <https://example.com/>";
  assert.deepEqual(shown(text, 100), [
    "See operations#watch, the limits (howto/limits), here.",
    "",
    "- `x` (https://example.com/x)",
    "- https://example.com/",
  ]);
});

test("renderMarkdown() reads the marks of text, but not within code", () => {
  assert.deepEqual(shown("**bold**, *soft*, `a *b* **c** [d](e)`, 2 * 3 * 4, a\\|b", 100), [
    "bold, soft, `a *b* **c** [d](e)`, 2 * 3 * 4, a|b",
  ]);
  assert.deepEqual(shown('<a id="x"></a>word ![A picture](x.svg)'), ["word [Picture: A picture]"]);
});

test("renderMarkdown() fits a table into the width, with lines in its cells", () => {
  const text = `
| Code | Meaning |
|---|---|
| 0 | Success |
| 7 | The daemon cannot be reached, whatever \`a\\|b\` is |
`;
  assert.deepEqual(shown(text, 40), [
    "Code  Meaning",
    "────  ──────────────────────────────────",
    "0     Success",
    "7     The daemon cannot be reached,",
    "      whatever `a|b` is",
  ]);
});

test("renderMarkdown() shows the rows of a table one by one when it has too many columns", () => {
  const head = "| what | first thing | second thing | third thing |\n|---|---|---|---|\n";
  const row = "| a | some longer text here | more of the text | and even more of it |\n";
  assert.deepEqual(shown(head + row, 40), [
    "a",
    "  first thing: some longer text here",
    "  second thing: more of the text",
    "  third thing: and even more of it",
  ]);
});

test("renderMarkdown() colors each word, so that lines can end between any two", () => {
  const options = { columns: 9, hasColor: true, page: "x" };
  assert.deepEqual(renderMarkdown(["`one two` **three**"], options), [
    "\x1b[36mone\x1b[0m \x1b[36mtwo\x1b[0m",
    "\x1b[1mthree\x1b[0m",
  ]);
});

test("sectionOf() returns a section with what is below it, and skips comments in code", () => {
  const lines = "# A\n\n## B\ntext\n```sh\n# no heading\n```\n### C\n\n## D\n".split("\n");
  assert.deepEqual(sectionOf(lines, "b"), lines.slice(2, 9));
  assert.equal(sectionOf(lines, "no-heading"), null);
  assert.deepEqual(headingsOf(lines).map(({ anchor }) => anchor), ["a", "b", "c", "d"]);
});

test("every page has only forms that parseMarkdown() reads", async () => {
  for (const { name, text } of await loadPages()) {
    const texts: string[] = [];
    const walk = (blocks: readonly Block[]): void =>
      blocks.forEach((block) => {
        if (block.type === "paragraph" || block.type === "heading") texts.push(block.text);
        if (block.type === "list") block.items.forEach((item) => walk(item.blocks));
      });
    walk(parseMarkdown(text.split("\n")));
    const odd = texts.filter((each) =>
      /^(>|={3,}|-{3,}|\+ |\|)/.test(each) ||
      /<(?!a id="|https?:)[a-z/]/i.test(each.replaceAll(/`[^`]*`/g, ""))
    );
    assert.deepEqual(odd, [], name);
  }
});

test("headingsOf() finds the anchors that links of the pages name", async () => {
  const pages = new Map((await loadPages()).map(({ name, text }) => [`docs/${name}.md`, text]));
  for (const page of readPages("docs")) {
    const text = pages.get(page.path);
    if (text === undefined) continue;
    const known = anchorsOf(page);
    for (const { anchor } of headingsOf(text.split("\n"))) {
      assert.ok(known.has(anchor), `${page.path}#${anchor}`);
    }
  }
});

test("every page fits 80 columns, but for code and words that cannot be broken", async () => {
  for (const { name, text } of await loadPages()) {
    const lines = renderMarkdown(text.split("\n"), { columns: 80, hasColor: false, page: name });
    const wide = lines.filter((line) => line.length > 80 && !line.startsWith("    "));
    assert.deepEqual(wide.filter((line) => line.trim().split(" ").length > 2), [], name);
  }
});
