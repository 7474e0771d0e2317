import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Rates } from "../../src/store/ledger/claiming/rates.ts";
import { MemoryTables } from "../../src/store/memory/tables.ts";
import { AHEAD_MS_MAX } from "../../src/store/store.ts";

const WINDOW = { kind: "mail", queueKey: "" };
const START = Date.UTC(2026, 0, 1);

/** How far the clock goes on or back, and how long before its start a claim is made. */
const STEP = fc.record({
  forward: fc.integer({ min: 0, max: 100 }),
  backMs: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.nat(100), fc.nat(100_000)),
  aheadMs: fc.oneof(fc.constant(0), fc.nat(AHEAD_MS_MAX)),
  isReadAgain: fc.boolean(),
});
const CASE = fc.record({
  // More than 64 starts share times.
  max: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(64, 65, 70)),
  perMs: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 61, max: 2_000 })),
  /** The longest step of the clock. */
  forwardMs: fc.constantFrom(2, 20, 1_000),
  steps: fc.array(STEP, { minLength: 100, maxLength: 200, size: "max" }),
});
type Case = typeof CASE extends fc.Arbitrary<infer T> ? T : never;

/** Claims as often as the limit allows it. Calls `started` with each true time of a start. */
function play(
  { max, perMs, forwardMs, steps }: Case,
  events: { started?: (at: number) => void; asked?: (wallMs: number, opensAt: number) => void },
): void {
  const rates = new Rates(new MemoryTables());
  const window = { ...WINDOW, perMs };
  let wallMs = START;
  for (const { forward, backMs, aheadMs, isReadAgain } of steps) {
    wallMs += Math.floor(forwardMs * forward / 100) - backMs;
    const opensAt = rates.opensAt(window, max, wallMs);
    events.asked?.(wallMs, opensAt);
    if (opensAt > wallMs) continue;
    rates.add(window, { max, perMs }, { wallMs, startAt: wallMs + aheadMs });
    events.started?.(wallMs + aheadMs);
    rates.save();
    if (isReadAgain) rates.clear();
  }
}

test("no window of a rate has more starts than its maximum, also if they are claimed early", () => {
  fc.assert(fc.property(CASE, (given) => {
    const { max, perMs } = given;
    const starts: number[] = [];
    const steps = given.steps.map((step) => ({ ...step, backMs: 0 }));
    play({ ...given, steps }, { started: (at) => starts.push(at) });
    starts.sort((left, right) => left - right);
    for (const [index, at] of starts.entries()) {
      const first = starts[index - max] ?? -Infinity;
      assert.ok(at - first >= perMs, `${max + 1} starts within ${at - first} ms of ${perMs}`);
    }
  }));
});

test("a rate blocks for no longer than its window after the last start, even if the clock is set back", () => {
  fc.assert(fc.property(CASE, (given) => {
    play(given, {
      asked: (wallMs, opensAt) => {
        assert.ok(opensAt - wallMs <= given.perMs + AHEAD_MS_MAX, `${opensAt - wallMs} ms`);
      },
    });
  }));
});

test("a rate opens a window after each start, however early it was claimed", () => {
  const rates = new Rates(new MemoryTables());
  const window = { ...WINDOW, perMs: 1_000 };
  const add = (wallMs: number, startAt: number) =>
    rates.add(window, { max: 2, perMs: 1_000 }, { wallMs, startAt });
  add(START, START + AHEAD_MS_MAX);
  // It begins before the one that was claimed first.
  add(START + 1, START + 1);
  assert.equal(rates.opensAt(window, 2, START + 1), START + 1_001);
  add(START + 1_001, START + 1_001);
  assert.equal(rates.opensAt(window, 2, START + 1_001), START + AHEAD_MS_MAX + 1_000);
});

test("starts that share a time count until the last of them has expired, in either order", () => {
  for (const [first, second] of [[42, 37], [37, 42]] as const) {
    const rates = new Rates(new MemoryTables());
    const window = { ...WINDOW, perMs: 1_000 };
    for (const ms of [first, second]) {
      const times = { wallMs: START + 32, startAt: START + ms };
      rates.add(window, { max: 128, perMs: 1_000 }, times);
    }
    assert.equal(rates.opensAt(window, 2, START + 50), START + 1_042);
  }
});

test("a start further ahead than any claim counts as one now", () => {
  const rates = new Rates(new MemoryTables());
  const window = { ...WINDOW, perMs: 1_000 };
  const limit = { max: 1, perMs: 1_000 };
  rates.add(window, limit, { wallMs: START, startAt: START });
  const [within, beyond] = [START - AHEAD_MS_MAX, START - AHEAD_MS_MAX - 1];
  assert.equal(rates.opensAt(window, 1, within), START + 1_000);
  assert.equal(rates.opensAt(window, 1, beyond), beyond + 1_000);
});
