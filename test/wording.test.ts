import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSource, readSources, type SourceFile, visit } from "./support/source_tree.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Phrases that a reader has to read twice, and what to write instead. */
const PHRASES: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [
    /(?<!\b[Tt]here )\bis no (?!longer\b|such\b|more\b|need\b|way\b|reason\b|limit\b)\w+/,
    "is not a …",
  ],
  [/\b(go|goes|went|going) on\b(?! to\b)/, "continue, or the verb itself"],
  [/\bnothing says\b/, "name what is missing"],
  [/\bas no other\b/, "unique, unambiguous"],
  [/\b(so|as) many times as\b/, "n times"],
  [/\bthat is asked\b/, "requested"],
  [/\bst(ands?|ood|anding) still\b/, "is frozen, does not advance"],
  [/\bsuch that\b/, "so that, which"],
  [/\bbesides\b/, "also, except"],
  [/\b(told|tells) of\b/, "reports, says, shows"],
  [/\banswers? (it|them|how|whether|true|false|null)\b/, "returns"],
];

/**
 * Words that stand in comments where a noun belongs: what to write instead, an example that breaks
 * the rule, and how many comments may break it.
 */
const NOUNLESS: readonly {
  readonly phrase: RegExp;
  readonly instead: string;
  readonly breaker: string;
  readonly max?: number;
}[] = [
  {
    phrase: /\b[Tt]hat of\b/,
    instead: "repeat the noun, or 's",
    breaker: "// Like that of a job.",
  },
  {
    phrase: /\bthose of\b/,
    instead: "repeat the noun, or 's",
    breaker: "// Also those of others.",
  },
  { phrase: /\b[Ww]hat is\b/, instead: "a noun", breaker: "/** Find what is left. */" },
  { phrase: /\b(has|have|had) none\b/, instead: "lacks, without", breaker: "// A kind has none." },
  { phrase: /\bso much\b|\bso long\b/, instead: "the number", breaker: "// It took so long." },
  {
    phrase: /\bof (which|whom)\b/,
    instead: "whose, or two sentences",
    breaker: "// Ten, of which…",
  },
  {
    phrase: /\b([Ww]ho|[Ww]hat|[Ww]hich|[Ww]here|[Hh]ow)ever\b(?!,)/,
    instead: "any, every, always",
    breaker: "/** Whoever claims it. */",
  },
  { phrase: /\bthe (former|latter)\b/, instead: "the noun", breaker: "// Prefer the latter." },
  { phrase: /\b(told|tells)\b/, instead: "reports, shows", breaker: "// The head tells it." },
  { phrase: /\b(is|are|was|were|been) asked\b/, instead: "requested", breaker: "// It is asked." },
  { phrase: /\bby (itself|themselves)\b/, instead: "alone", breaker: "// It ends by itself." },
  {
    phrase: /\bof (its|their|our) own\b(?! \w)/,
    instead: "separate, own",
    breaker: "/** In a file of its own. */",
  },
  { phrase: /\bsuch an?\b/, instead: "the noun", breaker: "// Refuse such a job." },
  {
    phrase: /\bhow (many|much|long|far|often)\b/,
    instead: "number of, duration of",
    breaker: "/** @returns how many */",
  },
  {
    phrase: /\bones? (that|which|whose)\b/,
    instead: "repeat the noun",
    breaker: "// Skip one that waits.",
    max: 8,
  },
  {
    phrase: /\/\*\* (What|Whether|Who|Whose|Where|How|Which)\b/,
    instead: "a noun, or True if …",
    breaker: "/** What a job needs. */",
  },
];

interface Text {
  readonly place: string;
  readonly text: string;
}

function pages(): Text[] {
  const paths = readdirSync(`${ROOT}docs`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return ["README.md", "CONTRIBUTING.md", "SECURITY.md", "config.example.toml", ...paths].flatMap(
    (path) =>
      readFileSync(`${ROOT}${path}`, "utf8").split("\n")
        .map((text, index) => ({ place: `${path}:${index + 1}`, text })),
  );
}

/** Texts of a source that have more than one word: messages, hints and help. */
function messages({ path, program }: SourceFile): Text[] {
  const found: Text[] = [];
  if (program === null) return found;
  visit(program, (node) => {
    const value = node.type === "StringLiteral"
      ? node.value
      : node.type === "TemplateElement"
      ? (node.value as { readonly cooked: string | null }).cooked
      : null;
    // Programs in other languages begin on a line of their own.
    if (typeof value !== "string" || !/^[^\n]*[a-z] [a-z]/.test(value)) return;
    found.push({ place: `${path}:${node.loc.start.line}`, text: value });
  });
  return found;
}

function comments({ path, text }: SourceFile): Text[] {
  return text.split("\n").flatMap((line, index) =>
    /^\s*(\/\/|\/\*\*|\*)/.test(line) ? [{ place: `${path}:${index + 1}`, text: line }] : []
  );
}

function hardPhrases(texts: readonly Text[]): string[] {
  return texts.flatMap(({ place, text }) =>
    PHRASES.flatMap(([phrase, instead]) => {
      const [found] = phrase.exec(text) ?? [];
      return found === undefined ? [] : [`${place}: "${found}" (write: ${instead})`];
    })
  );
}

test("pages have no phrases that are hard to read", () => {
  assert.deepEqual(hardPhrases(pages()), []);
});

test("messages and help have no phrases that are hard to read", () => {
  // Names of conformance cases are quoted in the exceptions of other people's stores.
  const sources = readSources("src").filter(({ folder }) => folder !== "conformance");
  assert.deepEqual(hardPhrases(sources.flatMap(messages)), []);
});

test("comments have no phrases that are hard to read", () => {
  assert.deepEqual(hardPhrases(readSources("src").flatMap(comments)), []);
});

/** Comments of the scripts, which are not TypeScript. */
function scriptComments(): Text[] {
  return readdirSync(`${ROOT}scripts`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".mjs"))
    .flatMap((name) => {
      const lines = readFileSync(`${ROOT}scripts/${name}`, "utf8").split("\n");
      return lines.flatMap((text, index) =>
        /^\s*(\/\/|\/\*\*|\*)/.test(text) ? [{ place: `scripts/${name}:${index + 1}`, text }] : []
      );
    });
}

/** Docstrings that begin on their second line get the mark of the first one. */
function withOpenings(texts: readonly Text[]): Text[] {
  return texts.map(({ place, text }, index) =>
    texts[index - 1]?.text.trim() === "/**"
      ? { place, text: text.replace(/^\s*\* ?/, "/** ") }
      : { place, text }
  );
}

for (const { phrase, instead, breaker, max = 0 } of NOUNLESS) {
  test(`comments use nouns: ${phrase.source} is rare or absent (write: ${instead})`, () => {
    assert.match(breaker, phrase);
    const texts = [...readSources("src").flatMap(comments), ...scriptComments()];
    const found = withOpenings(texts).filter(({ text }) => phrase.test(text))
      .map(({ place, text }) => `${place}: ${text.trim()}`);
    assert.deepEqual(found.length > max ? found : [], [], `at most ${max}`);
  });
}

test("the rule finds phrases in messages and comments", () => {
  const file = readSource(
    "src/core/a.ts",
    '// Answers whether it goes on.\nconst a = `The ${1} is no list`;\nconst b = "goes on";\n',
  );
  assert.equal(hardPhrases(messages(file)).length, 2);
  assert.equal(hardPhrases(comments(file)).length, 1);
});
