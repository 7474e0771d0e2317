import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NAVIGATION } from "../../../src/dashboard/app/navigation_items.ts";

const DOCS = readFileSync(new URL("../../../docs/dashboard.md", import.meta.url), "utf8");
const ITEMS = NAVIGATION.flat();

for (const { title } of ITEMS) {
  test(`docs/dashboard.md describes the page ${title}`, () => {
    assert.ok(DOCS.includes(`\n| ${title} | `));
  });
}

test("each page of the navigation has a path and a key of its own", () => {
  for (const name of ["path", "key"] as const) {
    assert.equal(new Set(ITEMS.map((item) => item[name])).size, ITEMS.length, name);
  }
});
