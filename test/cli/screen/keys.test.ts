import assert from "node:assert/strict";
import test from "node:test";
import { KeyReader, readKeys } from "../../../src/cli/screen/keys.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const READ: readonly (readonly [string, readonly string[]])[] = [
  ["q", ["q"]],
  ["jü漢😀", ["j", "ü", "漢", "😀"]],
  ["\u001b[A\u001b[B\u001bOC\u001bOD", ["up", "down", "right", "left"]],
  ["\u001b[5~\u001b[6~\u001b[1~\u001b[4~\u001b[H\u001b[F", [
    ...["page-up", "page-down", "home", "end", "home", "end"],
  ]],
  ["\t\u001b[Z\r\n", ["tab", "back-tab", "enter", "enter"]],
  ["\u007f\b\u0003\u000c\u0015\u001a", [
    ...["backspace", "backspace", "ctrl-c", "ctrl-l", "ctrl-u", "ctrl-z"],
  ]],
  // With Shift or Ctrl, an arrow is still that arrow.
  ["\u001b[1;5A", ["up"]],
  // What means nothing here: F5, the focus, a mouse.
  ["\u001b[15~\u001b[I\u001b[<0;1;1M", []],
  ["\u0000\u0001", []],
  // Escape, and a key at once after it.
  ["\u001bq", ["escape", "q"]],
];

for (const [text, keys] of READ) {
  test(`readKeys() reads ${JSON.stringify(text)}`, () => {
    assert.deepEqual(readKeys(text), { keys, rest: "" });
  });
}

test("readKeys() keeps a sequence that is not complete, up to a limit", () => {
  for (const begun of ["\u001b", "\u001b[", "\u001b[1;", "\u001bO"]) {
    assert.deepEqual(readKeys(`x${begun}`), { keys: ["x"], rest: begun });
  }
  const { rest } = readKeys(`\u001b[${"1".repeat(40)}`);
  assert.equal(rest, "");
});

test("KeyReader puts the parts of a sequence together, and takes a lone ESC for a key", async () => {
  const clock = new SimClock();
  const keys: string[] = [];
  const reader = new KeyReader(clock, (key) => keys.push(key));
  reader.push("\u001b");
  await clock.advance(49);
  reader.push("[A");
  assert.deepEqual(keys, ["up"]);
  reader.push("\u001b");
  await clock.advance(49);
  assert.deepEqual(keys, ["up"]);
  await clock.advance(1);
  assert.deepEqual(keys, ["up", "escape"]);
  reader.push("\u001b");
  reader.close();
  await clock.advance(100);
  assert.deepEqual(keys, ["up", "escape"]);
});
