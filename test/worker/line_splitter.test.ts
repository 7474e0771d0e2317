import assert from "node:assert/strict";
import { test } from "node:test";
import { SecretMask } from "../../src/core/text/secret_mask.ts";
import { LINE_BYTES_MAX, LineSplitter } from "../../src/worker/output/line_splitter.ts";

/** A splitter of lines among which are no records. */
function splitterOf(
  onLine: (line: Uint8Array) => void,
  { onMarker = () => {}, mask = new SecretMask() } = {},
): LineSplitter {
  return new LineSplitter({ mask, onLine, onMarker });
}

function split(chunks: readonly (string | Uint8Array)[], marker?: string) {
  const lines: string[] = [];
  let markers = 0;
  const splitter = splitterOf((line) => lines.push(Buffer.from(line).toString("latin1")), {
    onMarker: () => {
      markers += 1;
      lines.push("MARK");
    },
  });
  if (marker) splitter.expect(marker);
  for (const chunk of chunks) splitter.push(Buffer.from(chunk as string));
  splitter.flush();
  return { lines, markers };
}

test("LineSplitter returns whole lines when chunks cut them anywhere", () => {
  assert.deepEqual(split(["a\nb", "c\r\n\n", "d"]).lines, ["a", "bc", "", "d"]);
});

test("LineSplitter finds the marker when it follows text without a line end", () => {
  const { lines, markers } = split(["partial\x1emark\n", "next\n"], "\x1emark\n");
  assert.deepEqual(lines, ["partial", "MARK", "next"]);
  assert.equal(markers, 1);
});

test("LineSplitter finds the marker when it comes byte by byte", () => {
  const { lines } = split([..."one\n\x1emark\ntwo\n"], "\x1emark\n");
  assert.deepEqual(lines, ["one", "MARK", "two"]);
});

test("LineSplitter finds the marker behind a line of any length", () => {
  for (const length of [LINE_BYTES_MAX - 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 3, 100_000]) {
    const text = "x".repeat(length);
    const { lines, markers } = split([text + "\x1ema", "rk\n"], "\x1emark\n");
    assert.equal(markers, 1, `length ${length}`);
    assert.equal(lines.slice(0, -1).join(""), text);
  }
});

test("LineSplitter takes the marker for output when it is not expected", () => {
  assert.deepEqual(split(["\x1emark\n"]).lines, ["\x1emark"]);
});

for (
  const [name, length, pieces] of [["at", 0, 1], ["one above", 1, 2], ["one below", -1, 1]] as const
) {
  test(`LineSplitter cuts a line into pieces when it is ${name} the limit`, () => {
    const { lines } = split(["y".repeat(LINE_BYTES_MAX + length) + "\n"]);
    assert.equal(lines.length, pieces);
    assert.ok(lines.every((line) => line.length <= LINE_BYTES_MAX));
  });
}

test("LineSplitter cuts between characters when a long line is UTF-8", () => {
  const text = "a" + "€".repeat(10_000);
  const pieces: Uint8Array[] = [];
  const splitter = splitterOf((line) => pieces.push(line));
  splitter.push(Buffer.from(text + "\n"));
  const decoder = new TextDecoder("utf-8", { fatal: true });
  assert.equal(pieces.map((piece) => decoder.decode(piece)).join(""), text);
});

test("LineSplitter cuts no secret, wherever it is in a long line and in chunks", () => {
  const secret = "sécret-0123456789";
  const bytes = Buffer.byteLength(secret);
  const mask = new SecretMask([secret]);
  for (let before = LINE_BYTES_MAX - bytes - 1; before <= LINE_BYTES_MAX + 1; before++) {
    const line = Buffer.from(`${"-".repeat(before)}${secret}${"-".repeat(LINE_BYTES_MAX)}`);
    for (const isWhole of [true, false]) {
      const pieces: string[] = [];
      const splitter = splitterOf((piece) => pieces.push(Buffer.from(piece).toString()), { mask });
      splitter.push(line.subarray(0, before + 5));
      splitter.push(line.subarray(before + 5));
      if (isWhole) splitter.push(Buffer.from("\n"));
      splitter.flush();
      assert.equal(pieces.join(""), line.toString());
      assert.equal(pieces.filter((piece) => piece.includes(secret)).length, 1, `${before}`);
      assert.ok(pieces.every((piece) => Buffer.byteLength(piece) <= LINE_BYTES_MAX));
    }
  }
});
