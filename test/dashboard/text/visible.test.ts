import assert from "node:assert/strict";
import test from "node:test";
import { argumentsText, prettyText } from "../../../src/dashboard/text/argument_text.ts";
import { visibleText } from "../../../src/dashboard/text/visible.ts";

test("visibleText() replaces what reorders or hides text, and keeps words of all scripts", () => {
  assert.equal(
    visibleText("a\u202eb\u2066c\u200fd\u200be\u00adf"),
    "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf",
  );
  assert.equal(visibleText("\u001b[31mred\u001b[0m\u0000\u{e0041}"), "red\ufffd");
  const words = "שלום می‌خواهم 👩‍💻 e\u0301 日本\n\tline";
  assert.equal(visibleText(words), words);
});

test("prettyText() escapes what cannot be seen, and stays the same value", () => {
  const value = { name: "a\u202eb\u{e0041}", tags: ["\u200b"] };
  assert.match(prettyText(value), /a\\u202eb\\udb40\\udc41/);
  assert.deepEqual(JSON.parse(prettyText(value)), value);
  assert.equal(argumentsText(["\u202e"]), '"\\u202e"');
});
