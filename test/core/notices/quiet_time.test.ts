import assert from "node:assert/strict";
import { test } from "node:test";
import { quietSince, quietUntil } from "../../../src/core/notices/quiet_time.ts";

const HOUR = 3_600_000;
/** A Thursday. */
const MIDNIGHT = Date.UTC(2026, 0, 1);

test("quietSince() and quietUntil() find both ends of the windows that an instant lies in", () => {
  const window = (texts: readonly string[], atMs: number, zone = "UTC") => {
    const ends = [quietSince(texts, zone, atMs), quietUntil(texts, zone, atMs)];
    return ends.map((end) => end === null ? null : (end - MIDNIGHT) / HOUR);
  };
  const night = ["22:00-06:00"];
  assert.deepEqual(window(night, MIDNIGHT + 1), [-2, 6]);
  assert.deepEqual(window(night, MIDNIGHT - 2 * HOUR), [-2, 6]);
  assert.deepEqual(window(night, MIDNIGHT - 2 * HOUR - 1), [null, null]);
  assert.deepEqual(window(night, MIDNIGHT + 6 * HOUR - 1), [-2, 6]);
  assert.deepEqual(window(night, MIDNIGHT + 6 * HOUR), [null, null]);
  assert.deepEqual(window(night, MIDNIGHT, "Asia/Tokyo"), [null, null]);
  assert.deepEqual(window([...night, "06:00-07:00"], MIDNIGHT), [-2, 7]);
  assert.deepEqual(window([], MIDNIGHT), [null, null]);
  // Longer than is looked for.
  const year = window(["2025-06-01/2026-06-01"], MIDNIGHT);
  assert.ok(year[0]! > -9 * 24 && year[1]! < 9 * 24);
});
