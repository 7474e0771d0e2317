import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { phraseOf } from "../../../src/store/valkey/operations/refusals.ts";
import { LUA } from "../../../src/store/valkey/script/gen/lua_text.ts";

/** The texts of the .lua files by name, as they are in the source. */
function readParts(): Readonly<Record<string, string>> {
  const folder = new URL("../../../src/store/valkey/script/", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".lua")).sort();
  return Object.fromEntries(
    names.map((name) => [name.replace(".lua", ""), readFileSync(new URL(name, folder), "utf8")]),
  );
}

test("the script's text in the program is that of the .lua files", () => {
  const parts = readParts();
  assert.deepEqual(Object.keys(LUA), Object.keys(parts));
  for (const [name, text] of Object.entries(LUA)) {
    assert.ok(text === parts[name], `${name} is stale: node scripts/generate/texts.mjs`);
  }
});

test("every member of S in the .lua files is used", () => {
  const text = Object.values(readParts()).join("").replace(/^\s*--.*$/gm, "");
  const counts = new Map<string, number>();
  for (const [, name] of text.matchAll(/\bS\.(\w+)/g)) {
    counts.set(name!, (counts.get(name!) ?? 0) + 1);
  }
  const unused = [...counts].filter(([, count]) => count === 1).map(([name]) => name);
  assert.deepEqual(unused, []);
});

test("every operation of the script has a name for messages", () => {
  const text = Object.values(readParts()).join("");
  const names = [...text.matchAll(/\bS\.ACTIONS\.(\w+)/g)].map(([, name]) => name!);
  const unnamed = names.filter((name) => /[A-Z]/.test(phraseOf(name)));
  assert.ok(names.length > 40);
  assert.deepEqual(unnamed, []);
});
