import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

/** Branches are merged line by line into CHANGELOG.md, which can double lines and sections. */

const ORDER = [
  "Highlights",
  "Added",
  "Changed",
  "Deprecated",
  "Removed",
  "Fixed",
  "Security",
  "Known limits",
];

const releases = readFileSync(new URL("../../CHANGELOG.md", import.meta.url), "utf8")
  .split(/^## /m).slice(1);

test("each release of CHANGELOG.md has its sections once and in the usual order", () => {
  assert.ok(releases.length > 0);
  for (const release of releases) {
    const sections = [...release.matchAll(/^### (.*)$/gm)].map(([, name]) => name!);
    assert.deepEqual(sections, ORDER.filter((name) => sections.includes(name)));
  }
});

test("no line of a release of CHANGELOG.md is there twice", () => {
  for (const release of releases) {
    const lines = release.split("\n").filter((line) => line.length > 20);
    const doubled = lines.filter((line, index) => lines.indexOf(line) !== index);
    assert.deepEqual(doubled, []);
  }
});

test("an entry of CHANGELOG.md has at most three lines: the pages have the details", () => {
  for (const release of releases) {
    const [changes = ""] = release.split("### Known limits");
    const entries = changes.split(/^(?=- |#)/m).filter((entry) => entry.startsWith("- "));
    const long = entries.filter((entry) => entry.trimEnd().split("\n").length > 3);
    assert.deepEqual(long, []);
  }
});
