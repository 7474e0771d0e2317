import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSource, readSources, type SourceFile } from "./support/source_tree.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER_FILES_MAX = 25;
/** A file with fewer lines that only its neighbor imports belongs into that neighbor. */
const CHIP_LINES_MAX = 40;
const COMMENT_COLUMNS_MAX = 100;

const SOURCES = readSources("src");
const PROGRAMS = [...SOURCES, ...readSources("test"), ...readSources("scripts")];

/** Folders below `folder` with more files than a reader takes in at once. */
function crowdedFolders(folder: string): string[] {
  const entries = readdirSync(`${ROOT}${folder}`, { withFileTypes: true });
  const count = entries.filter((entry) => entry.isFile()).length;
  return [
    ...count > FOLDER_FILES_MAX ? [`${folder}: ${count} files, at most ${FOLDER_FILES_MAX}`] : [],
    ...entries.filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => crowdedFolders(`${folder}/${name}`)),
  ];
}

/**
 * Short files that only one neighbor imports and that give no reason in a comment at their head.
 */
function chips(files: readonly SourceFile[]): string[] {
  const importers = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    for (const { target } of imports) {
      if (target === null || target === path) continue;
      importers.set(target, (importers.get(target) ?? new Set()).add(path));
    }
  }
  return files.filter(({ path, lineCount, text }) => {
    const [importer, ...others] = importers.get(path) ?? [];
    const isBeside = importer !== undefined && dirname(importer) === dirname(path);
    return lineCount < CHIP_LINES_MAX && isBeside && others.length === 0 &&
      !text.startsWith("// ");
  }).map(({ path }) => `${path}: only ${[...importers.get(path)!][0]} imports it; merge them`);
}

/** Files that import each other in a circle, types included. */
function importCycles(files: readonly SourceFile[]): string[] {
  const targets = new Map(files.map(({ path, imports }) => {
    const found = imports.map(({ target }) => target).filter((target) => target !== null);
    return [path, new Set(found.filter((target) => target !== path))];
  }));
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, way: readonly string[]) => {
    if (way.includes(path)) {
      cycles.push([...way.slice(way.indexOf(path)), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const next of targets.get(path) ?? []) walk(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of files) walk(path, []);
  return cycles;
}

/**
 * Pairs of folders of one room that import each other, types included; the files at the top of a
 * room count as one folder.
 */
function folderPairs(files: readonly SourceFile[]): string[] {
  const folderOf = (path: string) => path.split("/").slice(1, -1).slice(0, 2).join("/");
  const found = new Map<string, SourceFile["path"]>();
  for (const { path, folder: room, imports } of files) {
    for (const { target } of imports) {
      if (target === null) continue;
      const [from, to] = [folderOf(path), folderOf(target)];
      if (from !== to && to.split("/")[0] === room) found.set(`${from} → ${to}`, path);
    }
  }
  return [...found].filter(([pair]) => {
    const [from, to] = pair.split(" → ");
    return from! < to! && found.has(`${to} → ${from}`);
  }).map(([pair, path]) => `${pair}, and back: ${path}`);
}

/** Lines of comments that are too long; a URL may be. */
function longComments({ path, text }: SourceFile): string[] {
  return text.split("\n").flatMap((line, index) =>
    /^\s*(\/\/|\/\*\*|\*)/.test(line) && line.length > COMMENT_COLUMNS_MAX &&
      !line.includes("://")
      ? [`${path}:${index + 1}: ${line.length} columns, at most ${COMMENT_COLUMNS_MAX}`]
      : []
  );
}

for (const folder of ["src", "test", "scripts"]) {
  test(`folders of ${folder} have at most ${FOLDER_FILES_MAX} files`, () => {
    assert.deepEqual(crowdedFolders(folder), []);
  });
}

test("sources have no short files that only a neighbor imports", () => {
  assert.deepEqual(chips(SOURCES), []);
});

test("sources import each other in no circle, types included", () => {
  assert.deepEqual(importCycles(SOURCES), []);
});

test("no two folders of a room import each other", () => {
  assert.deepEqual(folderPairs(SOURCES), []);
});

test("comments end at column 100", () => {
  assert.deepEqual(PROGRAMS.flatMap(longComments), []);
});

test("the rules find what breaks them", () => {
  const a = readSource("src/core/a.ts", 'import type { B } from "./b.ts";\n');
  const b = readSource("src/core/b.ts", 'import { a } from "./a.ts";\n');
  assert.equal(importCycles([a, b]).length, 1);
  assert.deepEqual(chips([a, b]).length, 2);
  const inside = readSource("src/core/x/c.ts", 'import type { A } from "../a.ts";\n');
  const top = readSource("src/core/a.ts", 'import { c } from "./x/c.ts";\n');
  assert.equal(folderPairs([inside, top]).length, 1);
  assert.deepEqual(folderPairs([inside, a]), []);
  const reason = readSource("src/core/a.ts", `// Apart: it is also an entry.\n${a.text}`);
  assert.equal(chips([reason, b]).length, 1);
  assert.equal(longComments(readSource("src/core/a.ts", `// ${"a ".repeat(50)}\n`)).length, 1);
});

test("every path that the pages for contributors name exists", () => {
  for (const page of ["docs/architecture.md", "CONTRIBUTING.md"]) {
    const text = readFileSync(`${ROOT}${page}`, "utf8");
    const paths = [
      ...text.matchAll(/(?:^|[\s`(])((?:src|test|scripts|docs)\/[\w./-]*\w\/?)/gm),
    ];
    const missing = paths.map((match) => match[1]!).filter((path) => !existsSync(`${ROOT}${path}`));
    assert.ok(paths.length > 0, page);
    assert.deepEqual(missing, [], page);
  }
});
