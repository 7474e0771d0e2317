import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../../src/platform/clock.ts";

function fired(delayMs: number): Promise<{ readonly wallMs: number; readonly isLater: boolean }> {
  return new Promise((resolve) => {
    let isLater = false;
    systemClock.timer(delayMs, () => resolve({ wallMs: Date.now(), isLater }), { isExact: true });
    isLater = true;
  });
}

test("an exact timer runs when the wall clock has moved by its delay, never before", async () => {
  for (const delayMs of [1, 2, 3, 5, 20]) {
    const dueMs = Date.now() + delayMs;
    const { wallMs } = await fired(delayMs);
    assert.equal(wallMs >= dueMs, true, `${delayMs} ms: ${dueMs - wallMs} ms early`);
  }
});

test("an exact timer never runs before whoever starts it has it", async () => {
  for (const delayMs of [-1, 0, 0.5]) assert.equal((await fired(delayMs)).isLater, true);
});

test("an exact timer that is canceled does not run, in none of its steps", async () => {
  let count = 0;
  for (const delayMs of [0, 1, 3]) {
    systemClock.timer(delayMs, () => count += 1, { isExact: true }).cancel();
  }
  await fired(10);
  assert.equal(count, 0);
});
