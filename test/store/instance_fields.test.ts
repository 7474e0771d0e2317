import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instanceModules } from "../../scripts/generate/instance_rows.ts";

test("the rows of instances are made from the table of their fields", () => {
  for (const [path, text] of Object.entries(instanceModules())) {
    const file = new URL(`../../src/${path}`, import.meta.url);
    assert.ok(readFileSync(file, "utf8") === text, `${path} is stale: npm run generate`);
  }
});
