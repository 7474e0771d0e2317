import assert from "node:assert/strict";
import test from "node:test";
import { findPage } from "../../../src/cli/docs/pages.ts";
import { searchPages } from "../../../src/cli/docs/search.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const PAGES = [
  { name: "cli", text: "# jobctl\n\nAbout it.\n\n## Exit codes\n\nCode `7` is **here**.\n" },
  { name: "howto/backup", text: "# A backup\n\n- a code of its own\n\n| a | CODE |\n|---|---|\n" },
];

test("docs lists every page with one line about each", async () => {
  const { stdout } = await cli(["docs"], { isTerminal: true, columns: 80 });
  const lines = stdout.trimEnd().split("\n");
  assert.match(lines[0]!, /^PAGE +TITLE +ABOUT$/);
  assert.ok(lines.some((line) => line.startsWith("howto/backup ")));
  assert.ok(lines.length > 30 && lines.every((line) => line.length <= 80), stdout);
  const pages = JSON.parse((await cli(["docs"])).stdout) as { page: string; about: string }[];
  for (const { page, about } of pages) assert.ok(about.length > 10 && !/[[\]`#]/.test(about), page);
});

test("docs shows a page or a section of it, and JSON has the text as it is written", async () => {
  const env = { JOBCTL_OUTPUT: undefined };
  const page = await cli(["docs", "cli"], { env });
  assert.ok(page.stdout.startsWith("jobctl\n══════\n\nThe reference of the command line"));
  const section = await cli(["docs", "cli.md#Exit-Codes"], { env });
  assert.ok(section.stdout.startsWith("Exit codes\n──────────\n\nCode  Meaning\n"));
  assert.ok(!section.stdout.includes("Ids and times"));
  const json = JSON.parse((await cli(["docs", "cli#exit-codes"])).stdout);
  assert.equal(json.page, "cli#exit-codes");
  assert.ok(json.text.startsWith("## Exit codes\n"));
});

test("docs names the nearest page and section", async () => {
  const page = await cli(["docs", "tutorail"]);
  assert.equal(page.code, 4);
  assert.match(page.stderr, /"tutorail": no such page\nhint: Did you mean "tutorial"\?/);
  for (const word of ["retries", "retry"]) {
    const about = await cli(["docs", word]);
    assert.match(about.stderr, /no such page\nhint: Did you mean "jobs#retries"\?/);
  }
  const section = await cli(["docs", "cli#exit-code"]);
  assert.equal(section.code, 4);
  assert.match(section.stderr, /"exit-code" of page "cli"[^]*Did you mean "exit-codes"\?/);
});

test("docs --search lists lines with their page and section, headings first", async () => {
  const { code, stdout } = await cli(["docs", "-s", "exit codes"]);
  assert.equal(code, 0);
  const hits = JSON.parse(stdout) as { page: string; line: number; text: string }[];
  assert.equal(hits[0]!.text, "Exit codes");
  assert.ok(hits.slice(0, 2).some(({ page }) => page === "cli#exit-codes"));
  assert.ok(hits.every(({ text }) => /exit/i.test(text) && /codes/i.test(text)));
  const none = await cli(["docs", "--search", "no-such-word-anywhere"], { isTerminal: true });
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.equal(none.stderr, "No section has all of these words. Try fewer\n");
  assert.equal((await cli(["docs", "cli", "--search", "x"])).code, 2);
});

test("searchPages() finds all words in whatever case, and shows lines without marks", () => {
  assert.deepEqual(searchPages(PAGES, "code"), [
    { section: "cli#exit-codes", line: 5, text: "Exit codes" },
    { section: "cli#exit-codes", line: 7, text: "Code 7 is here." },
    { section: "howto/backup", line: 3, text: "a code of its own" },
    { section: "howto/backup", line: 5, text: "a · CODE" },
  ]);
  assert.deepEqual(searchPages(PAGES, "CODE own").map(({ line }) => line), [3]);
  assert.deepEqual(searchPages(PAGES, "  "), []);
});

test("searchPages() shows lines first in which the words begin, then parts of words", () => {
  const text = "# Concepts\n\nMore concepts.\n\n## Late\n\nOnce only.\n\n## Run once\n";
  const lines = searchPages([{ name: "a", text }], "once").map(({ line }) => line);
  assert.deepEqual(lines, [9, 7, 1, 3]);
});

test("searchPages() finds sections if no line has all words", () => {
  assert.deepEqual(searchPages(PAGES, "exit 7"), [
    { section: "cli#exit-codes", line: 5, text: "Exit codes" },
  ]);
});

for (const name of ["howto/backup", "backup", "Backup.md", "docs/howto/backup.md"]) {
  test(`findPage() finds ${name}`, () => assert.equal(findPage(PAGES, name), PAGES[1]));
}

test("findPage() refuses what is no page", () => {
  for (const name of ["", "..", "howto", "/etc/passwd", "constructor"]) {
    assert.throws(() => findPage(PAGES, name), (error) => isJobError(error, "not_found"));
  }
});
