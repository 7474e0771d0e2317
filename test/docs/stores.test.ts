import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

test("docs/stores.md shows the store of examples/my-store.ts, which is short", () => {
  const example = read("examples/my-store.ts");
  assert.ok(read("docs/stores.md").includes(`\`\`\`ts\n${example}\`\`\`\n`), "It is another text");
  assert.ok(example.split("\n").length - 1 <= 150);
});
