import assert from "node:assert/strict";
import test from "node:test";
import { formatLine, padded, wrapCells, wrapWords } from "../../../src/cli/screen/line.ts";
import { displayWidth } from "../../../src/cli/output/table.ts";

const PLAIN = { columns: 10, hasColor: false };

test("formatLine() cuts a line to its width, with a sign only if something is cut", () => {
  assert.equal(formatLine([{ text: "0123456789" }], PLAIN), "0123456789");
  assert.equal(formatLine([{ text: "0123456789a" }], PLAIN), "012345678…");
  assert.equal(formatLine([{ text: "0123456789" }, { text: "more" }], PLAIN), "012345678…");
  assert.equal(formatLine([{ text: "0123456789" }, { text: "  " }], PLAIN), "0123456789");
  assert.equal(formatLine([{ text: "01234" }, { text: "56789a" }], PLAIN), "012345678…");
});

test("formatLine() leaves out blanks at the end", () => {
  assert.equal(formatLine([{ text: "012345678" }, { text: "  " }], PLAIN), "012345678");
  assert.equal(
    formatLine([{ text: "012345678" }, { text: "  " }, { text: "x" }], PLAIN),
    "012345678…",
  );
});

test("formatLine() counts wide characters as two cells", () => {
  assert.equal(formatLine([{ text: "漢字漢字漢" }], PLAIN), "漢字漢字漢");
  assert.equal(displayWidth(formatLine([{ text: "漢字漢字漢字" }], PLAIN)), 9);
  assert.equal(displayWidth(formatLine([{ text: "a漢字漢字漢字" }], PLAIN)), 10);
});

test("formatLine() lets nothing through that controls a terminal", () => {
  const line = formatLine([{ text: "a\u001b[2Jb\u202e\r\n", style: "bad" }], {
    columns: 60,
    hasColor: true,
  });
  assert.equal(line, "\u001b[31ma\\x1b[2Jb\\u202e\\r\\n\u001b[0m");
});

test("formatLine() reverses a selected line over its whole width, without its colors", () => {
  const spans = [{ text: "> a", style: "bad" as const }];
  const line = formatLine(spans, { columns: 6, hasColor: true, isSelected: true });
  assert.equal(line, "\u001b[7m> a   \u001b[0m");
});

test("padded() fills or cuts a text to a width", () => {
  assert.equal(padded("ab", 4), "ab  ");
  assert.equal(padded("abcde", 4), "abc…");
  assert.equal(padded("漢字漢", 4), "漢… ");
});

test("wrapCells() breaks a text anywhere, by its cells", () => {
  assert.deepEqual(wrapCells("", 4), [""]);
  assert.deepEqual(wrapCells("abcd", 4), ["abcd"]);
  assert.deepEqual(wrapCells("abcde", 4), ["abcd", "e"]);
  assert.deepEqual(wrapCells("漢字漢", 5), ["漢字", "漢"]);
});

test("wrapWords() breaks a sentence between words, and words that are too long", () => {
  assert.deepEqual(wrapWords("Cancel it? [y/N]", 10), ["Cancel it?", "[y/N]"]);
  assert.deepEqual(wrapWords("a longwordhere b", 6), ["a", "longwo", "rdhere", "b"]);
  assert.deepEqual(wrapWords("a\u001bb", 20), ["a\\x1bb"]);
});
