import assert from "node:assert/strict";
import test from "node:test";
import { LINES_MAX, Pager } from "../../../src/cli/top/pager.ts";

const SIZE = { rows: 3, columns: 10 };
const numbered = (from: number, to: number) =>
  [...Array(to - from + 1)].map((_, index) => `line ${from + index}`);

function pagerOf(lines: readonly string[], isAtEnd = false): Pager {
  const pager = new Pager(SIZE, { isAtEnd });
  pager.append(lines);
  return pager;
}

test("Pager scrolls between the first and the last line", () => {
  const pager = pagerOf(numbered(1, 6));
  assert.deepEqual(pager.view(), numbered(1, 3));
  pager.scroll(-1);
  assert.deepEqual(pager.view(), numbered(1, 3));
  pager.scroll(1);
  assert.deepEqual(pager.view(), numbered(2, 4));
  pager.scrollPages(1);
  assert.deepEqual(pager.view(), numbered(4, 6));
  pager.scroll(1);
  assert.deepEqual(pager.view(), numbered(4, 6));
  pager.scroll(-Infinity);
  assert.deepEqual([pager.view()[0], pager.isAtBegin], ["line 1", true]);
});

test("Pager stays at the end as lines are added, until it is scrolled away", () => {
  const pager = pagerOf(numbered(1, 6), true);
  pager.append(["line 7"]);
  assert.deepEqual(pager.view(), numbered(5, 7));
  pager.scroll(-1);
  pager.append(["line 8"]);
  assert.deepEqual(pager.view(), numbered(4, 6));
  pager.scroll(Infinity);
  pager.append(["line 9"]);
  assert.deepEqual(pager.view(), numbered(7, 9));
});

test("Pager keeps what it shows as lines are added before it", () => {
  const pager = pagerOf(numbered(11, 16));
  pager.scroll(2);
  pager.prepend(numbered(1, 10));
  assert.deepEqual(pager.view(), numbered(13, 15));
});

test("Pager wraps long lines by their cells, and keeps the place at another width", () => {
  const pager = pagerOf(["0123456789abc", "漢字漢字漢字漢字", "end", "more"]);
  assert.deepEqual(pager.view(), ["0123456789", "abc", "漢字漢字漢"]);
  pager.scroll(2);
  assert.deepEqual(pager.view(), ["漢字漢字漢", "字漢字", "end"]);
  pager.resize({ rows: 2, columns: 20 });
  assert.deepEqual(pager.view(), ["漢字漢字漢字漢字", "end"]);
});

test("Pager finds a text whatever the case of its letters, and goes around", () => {
  const pager = pagerOf(["one", "two", "three", "four", "Two again", "six"]);
  pager.search("TWO");
  assert.deepEqual(pager.match, { text: "two", number: 1, count: 2 });
  assert.deepEqual(pager.view()[1], "\u001b[7mtwo\u001b[0m");
  pager.next(1);
  assert.equal(pager.match!.number, 2);
  assert.ok(pager.view().includes("\u001b[7mTwo\u001b[0m again"));
  pager.next(1);
  assert.equal(pager.match!.number, 1);
  pager.next(-1);
  assert.equal(pager.match!.number, 2);
  pager.search("nothing like it");
  assert.equal(pager.match!.count, 0);
  pager.search("");
  assert.equal(pager.match, undefined);
});

test("Pager keeps the last lines up to a limit", () => {
  const pager = pagerOf(numbered(1, LINES_MAX + 2), true);
  assert.equal(pager.length, LINES_MAX);
  pager.scroll(-Infinity);
  assert.equal(pager.view()[0], "line 3");
});
