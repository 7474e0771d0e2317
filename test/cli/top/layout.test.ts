import assert from "node:assert/strict";
import test from "node:test";
import { allotRows, columnWidths, rowSpans, windowStart } from "../../../src/cli/top/layout.ts";

const section = (count: number, weight = 1) => ({ count, weight });

test("allotRows() gives each section what it needs if there is room", () => {
  assert.deepEqual(allotRows([section(3, 2), section(2), section(0)], 9), [3, 2, 0]);
});

test("allotRows() shares by weight what is scarce, and gives away what is not needed", () => {
  assert.deepEqual(allotRows([section(50, 2), section(50), section(50)], 12), [6, 3, 3]);
  assert.deepEqual(allotRows([section(50, 2), section(1), section(50)], 13), [8, 1, 4]);
  assert.deepEqual(allotRows([section(50, 2), section(50)], 1), [1, 0]);
  assert.deepEqual(allotRows([section(5)], 0), [0]);
  assert.deepEqual(allotRows([section(5)], -3), [0]);
});

test("windowStart() moves no farther than the selected row needs", () => {
  const at = (selected: number, before: number) =>
    windowStart({ count: 10, rows: 4, selected, before });
  assert.equal(at(0, 0), 0);
  assert.equal(at(3, 0), 0);
  assert.equal(at(4, 0), 1);
  assert.equal(at(9, 1), 6);
  assert.equal(at(6, 6), 6);
  assert.equal(at(5, 6), 5);
  assert.equal(windowStart({ count: 2, rows: 4, selected: 1, before: 6 }), 0);
});

test("columnWidths() gives shared columns the same width in all sections that have them", () => {
  const section = (text: string, isShared: boolean) => ({
    widths: [{ max: 9, isShared }],
    rows: [{ key: "", subject: { type: "node" } as never, fields: [{ text }] }],
  });
  const all = [section("ab", true), section("abcd", true), section("abcdefg", false)];
  assert.deepEqual(all.map((one) => columnWidths(one, 60, all)), [[4], [4], [7]]);
});

test("columnWidths() is as wide as the texts, within limits, and leaves the last what is left", () => {
  const row = (...texts: string[]) => ({
    key: "",
    subject: { type: "node" } as never,
    fields: texts.map((text) => ({ text })),
  });
  const widths = [{ max: 4 }, { max: 6, fromColumns: 50 }, { max: 99 }];
  const rows = [row("abc", "漢字", "short"), row("abcdef", "x", "a very long text")];
  assert.deepEqual(columnWidths({ widths, rows }, 60), [4, 4, 16]);
  assert.deepEqual(columnWidths({ widths, rows }, 49), [4, 0, 16]);
  assert.deepEqual(columnWidths({ widths, rows }, 20), [4, 0, 14]);
  assert.deepEqual(columnWidths({ widths, rows }, 5), [4, 0, 0]);
  const spans = rowSpans(rows[1]!.fields, [4, 0, 8]);
  assert.equal(spans.map(({ text }) => text).join(""), "abc…  a very …  ");
});
