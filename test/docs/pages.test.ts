import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import test from "node:test";
import type { Verb, VerbGroup } from "../../src/cli/verb/verb.ts";
import { isGroup, optionsOf } from "../../src/cli/verb/verb.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import {
  anchorsOf,
  blocksOf,
  type Page,
  proseOf,
  readPage,
  readPages,
  ROOT,
} from "../support/docs/pages.ts";
import { loadText } from "../support/worlds/config_world.ts";

const VERBS = await loadVerbs();

const DOCS = readPages("docs");
const PAGES = [
  ...DOCS,
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(readPage),
];

/** Links of a page that lead nowhere. */
function brokenLinks(page: Page, pages: readonly Page[]): string[] {
  const links = [...proseOf(page).matchAll(/(?<!`)\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)/g)].map((
    [, to],
  ) => to!);
  return links.filter((link) => !/^[a-z]+:/.test(link)).filter((link) => {
    const [path, anchor] = link.split("#", 2);
    const target = path === "" ? page.path : relative(ROOT, join(ROOT, dirname(page.path), path!));
    const found = pages.find((each) => each.path === target);
    if (found === undefined) return anchor !== undefined || !existsSync(join(ROOT, target));
    return anchor !== undefined && !anchorsOf(found).has(anchor);
  }).map((link) => `${page.path}: ${link}`);
}

test("links between pages lead to a page and a heading", () => {
  assert.deepEqual(PAGES.flatMap((page) => brokenLinks(page, PAGES)), []);
});

test("brokenLinks() finds a missing page, heading and element", () => {
  const page = {
    path: "docs/a.md",
    text: "# A b\n\n[1](#a-b) [2](#c) [3](missing.md) [4](faq.md#no-such)\n```\n[5](no.md)\n```\n" +
      '<a id="here"></a> [6](#here) [7](https://example.com/#x) [8](../README.md)\n',
  };
  const found = brokenLinks(page, [page, ...PAGES]);
  assert.deepEqual(found.map((line) => line.split(": ")[1]), [
    "#c",
    "missing.md",
    "faq.md#no-such",
  ]);
});

test("a page begins with a heading, and with what it is for", () => {
  for (const { path, text } of DOCS) {
    const [title, first = ""] = text.split(/\n{2,}/, 2);
    assert.match(title!, /^# \S/, path);
    assert.match(first, /^[A-Z`\[]/, `${path} begins with "${first.slice(0, 40)}"`);
  }
});

test("a page says where to go next", () => {
  for (const { path, text } of DOCS) {
    const last = text.split(/^## /m).at(-1)!;
    assert.match(last, /^Where next\n/, path);
    assert.match(last, /\]\(\S+\.md/, path);
  }
});

/** The words of a command line, as a shell splits them; null if it cannot be read. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
}

/** What is wrong with the words after `jobctl`. */
function wrongWord(words: readonly string[]): string | null {
  let entry: Verb | VerbGroup<Verb | VerbGroup> = {
    name: "jobctl",
    summary: "",
    verbs: VERBS,
  };
  let rest = words;
  if (rest.length === 0 || rest[0] === "--version" || rest[0] === "help") return null;
  // Options of the connection may come before the verb.
  const first = rest.findIndex((word, index) =>
    !word.startsWith("-") && (index === 0 || !rest[index - 1]!.startsWith("--"))
  );
  if (first > 0) rest = [...rest.slice(first), ...rest.slice(0, first)];
  while (isGroup(entry)) {
    const next: Verb | VerbGroup<Verb | VerbGroup> | undefined = entry.verbs.find(({ name }) =>
      name === rest[0]
    );
    if (next === undefined) {
      if (entry.initial !== undefined) {
        entry = entry.initial;
        break;
      }
      return rest[0]?.startsWith("-") ? null : rest[0] ?? null;
    }
    entry = next;
    rest = rest.slice(1);
  }
  const verb = entry as Verb;
  if (verb.takesNamed) return null;
  const known = optionsOf(verb);
  const aliases = ["h", ...Object.values(known).flatMap(({ alias }) => alias ?? [])];
  const end = rest.indexOf("--");
  return rest.slice(0, end < 0 ? rest.length : end).find((word) => {
    const [, long, short] = /^(?:--([a-z-]+)|-([a-z])$)/.exec(word) ?? [];
    if (long !== undefined) return !(long in known) && long !== "help";
    return short !== undefined && !aliases.includes(short);
  }) ?? null;
}

/** Commands of a page with a verb or an option that does not exist. */
function wrongCommands(page: Page): string[] {
  const lines = blocksOf(page).filter(({ language }) => language === "sh" || language === "bash")
    .flatMap(({ body }) => body.replaceAll("\\\n", " ").split("\n"));
  return lines.flatMap((line) => {
    const command = line.replace(/(^|\s)#\s.*$/, "");
    return [
      ...command.matchAll(
        /(?:^|&& |\| |; |\$\()\s*(?:sudo |ssh \w+ |runuser -u \w+ -- |(?:podman|docker compose) exec \w+ )?jobctl(?=\s)([^|;&>)<]*)/g,
      ),
    ]
      .flatMap(([, words]) => {
        const wrong = wrongWord(wordsOf(words!));
        return wrong === null ? [] : [`${page.path}: "${wrong}" in ${line}`];
      });
  });
}

test("commands of the pages have verbs and options that exist", () => {
  assert.deepEqual(PAGES.flatMap(wrongCommands), []);
});

test("wrongCommands() finds an unknown verb, option and letter", () => {
  const lines =
    "jobctl lst jobs\nsudo jobctl status --frob\ncat a | jobctl logs -z\njobctl list jobs -o json\n" +
    "jobctl --port 5 status\n";
  const found = wrongCommands({ path: "a.md", text: "```sh\n" + lines + "```\n" });
  assert.deepEqual(found.map((line) => line.split('"')[1]), ["lst", "--frob", "-z"]);
});

/** A value for every reference of an example: long enough for a token, and a URL. */
const SECRET = "https://hc-ping.com/0123456789abcdef";

// test/config/documentation.test.ts and test/e2e/hooks.test.ts load the tables of these pages.
const LOADED_ELSEWHERE = ["docs/configuration.md", "docs/hooks.md"];

for (const page of PAGES.filter(({ path }) => !LOADED_ELSEWHERE.includes(path))) {
  for (const { body, line } of blocksOf(page).filter(({ language }) => language === "toml")) {
    test(`${page.path}:${line} has a table that loads without problems`, async () => {
      const text = body.replace(/\{ (?:file|credential|env) = "[^"]+" \}/g, '{ env = "SECRET" }');
      const { problems } = await loadText(text, { env: { SECRET }, files: { "jobs/a.ts": "" } });
      assert.deepEqual(problems, []);
    });
  }
}
