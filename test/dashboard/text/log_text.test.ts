import assert from "node:assert/strict";
import test from "node:test";
import { LogLines, LogSearch } from "../../../src/dashboard/logs/log_lines.ts";
import { parseAnsi, withoutAnsi } from "../../../src/dashboard/text/ansi.ts";

const entry = (message: string, more = {}) => ({
  ...{ instance_id: "1", kind: "a", at: "2026-11-28T03:00:00Z", level: "info", source: "stdout" },
  ...{ attempt: 1, seq: 1, message, ...more },
});

test("parseAnsi() gives the look of each part, and begins anew after a reset", () => {
  assert.deepEqual(parseAnsi("a\u001b[1;31mb\u001b[39mc\u001b[0md"), [
    { text: "a", look: "" },
    { text: "b", look: "fg-1 bold" },
    { text: "c", look: "bold" },
    { text: "d", look: "" },
  ]);
});

test("parseAnsi() maps palette and true colors to the 16 colors of the themes", () => {
  assert.equal(parseAnsi("\u001b[38;5;196mx")[0]!.look, "fg-9");
  assert.equal(parseAnsi("\u001b[38;2;0;200;0mx")[0]!.look, "fg-2");
  assert.equal(parseAnsi("\u001b[48;5;21mx")[0]!.look, "bg-12");
});

test("parseAnsi() drops what moves cursors, sets titles or reorders text", () => {
  const line = "\u001b]0;title\u0007a\u001b[2J\u001b[3;4Hb\u0000\u0008\u202ec";
  assert.deepEqual(parseAnsi(line), [{ text: "a", look: "" }, { text: "b\ufffdc", look: "" }]);
  assert.equal(withoutAnsi(line), "ab\ufffdc");
});

test("LogLines finds the line at each row when lines wrap", () => {
  const lines = new LogLines();
  lines.add([entry("x".repeat(25)), entry("y"), entry("漢".repeat(6))]);
  lines.arrange("debug", 10);
  assert.deepEqual([0, 1, 2].map((index) => lines.startOf(index)), [0, 3, 4]);
  assert.equal(lines.rows, 6);
  assert.deepEqual([0, 2, 3, 4, 5].map((row) => lines.indexAt(row)), [0, 0, 1, 2, 2]);
});

test("LogLines numbers lines by the whole log, and shows those of a level", () => {
  const lines = new LogLines();
  lines.add([
    entry("a"),
    entry("b", { level: "warn", seq: 2 }),
    entry("c\nd", { level: "error", seq: 3 }),
  ]);
  lines.arrange("warn", Infinity);
  assert.deepEqual([0, 1, 2].map((index) => lines.line(index).number), [2, 3, 3]);
  assert.deepEqual([0, 2, 3, 4].map((number) => lines.indexOf(number)), [0, 0, 1, 2]);
  assert.deepEqual([0, 1, 3, 4].map((number) => lines.has(number)), [false, true, true, false]);
});

test("LogLines puts a heading before the second attempt", () => {
  const lines = new LogLines();
  lines.add([entry("a"), entry("b", { attempt: 2, seq: 2 })]);
  assert.deepEqual([lines.length, lines.count, lines.line(1).text], [3, 2, "Attempt 2"]);
});

test("LogLines takes 300,000 lines and finds one of them", () => {
  const lines = new LogLines();
  for (let part = 0; part < 300; part++) {
    lines.add(Array.from({ length: 1_000 }, (_, index) => {
      const seq = part * 1_000 + index + 1;
      return entry(`line ${seq}`, { seq });
    }));
  }
  lines.arrange("debug", 80);
  assert.equal(lines.rows, 300_000);
  assert.equal(lines.indexOf(299_999), 299_998);
  assert.equal(lines.indexAt(123_456), 123_456);
});

test("LogSearch finds lines part by part, and goes on when there are more", () => {
  const lines = new LogLines();
  lines.add([entry("a pump"), entry("\u001b[1mPU\u001b[0mMP"), entry("none")]);
  const search = new LogSearch(lines, "Pump");
  assert.deepEqual([search.step(1), search.found], [false, [0]]);
  assert.deepEqual([search.step(2), search.found], [true, [0, 1]]);
  lines.add([entry("pump")]);
  assert.deepEqual([search.step(2), search.found], [true, [0, 1, 3]]);
  assert.deepEqual([new LogSearch(lines, "").step(9)], [true]);
});
