import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSize, parseSize, roughSize, SIZE_BYTES_MAX } from "../../../src/core/text/size.ts";

for (
  const [text, bytes] of [
    ["0", 0],
    ["1B", 1],
    ["512MB", 512_000_000],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["64 KiB", 65_536],
    ["2G", 2 ** 31],
    ["1024TiB", null],
    ["1024T", SIZE_BYTES_MAX],
    ["1025T", null],
    ["1", null],
    ["-1MB", null],
    ["MB", null],
    ["1e3MB", null],
    ["1mb", null],
    ["", null],
  ] as const
) {
  test(`parseSize() ${bytes === null ? "refuses" : "reads"} ${JSON.stringify(text)}`, () => {
    if (bytes !== null) return assert.equal(parseSize(text), bytes);
    assert.throws(() => parseSize(text), { code: "invalid_argument" });
  });
}

test("formatSize() writes the shortest form that parseSize() reads back", () => {
  assert.deepEqual([0, 1, 1_000, 1_048_576, 512_000_000].map(formatSize), [
    "0",
    "1B",
    "1KB",
    "1MiB",
    "512MB",
  ]);
  for (const bytes of [1, 999, 1_000, 1_024, 123_456_789, 2 ** 40, SIZE_BYTES_MAX]) {
    assert.equal(parseSize(formatSize(bytes)), bytes);
  }
});

test("roughSize() has one decimal, in the unit that keeps the number below 1024", () => {
  const texts = [0, 1_023, 1_024, 1_048_576, 13_002_342, 1.5 * 2 ** 40, 2 ** 52].map(roughSize);
  const expected = ["0 bytes", "1023 bytes", "1.0 KiB", "1.0 MiB", "12.4 MiB", "1.5 TiB"];
  assert.deepEqual(texts, [...expected, "4096.0 TiB"]);
});
