import assert from "node:assert/strict";
import test from "node:test";
import {
  canonicalText,
  comparePlaces,
  compareText,
  type RecordKey,
  type StoreRecord,
} from "../../src/store/records.ts";

test("compareText() orders as UTF-8 bytes do, halves of long characters after all others", () => {
  const texts = ["", "a", "a\u{10ffff}", "aa", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}"];
  const bytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual([...texts].reverse().sort(compareText), bytes);
});

test("comparePlaces() orders by type, then by the parts of the key", () => {
  const places: readonly RecordKey[] = [
    { type: "head" },
    { type: "schedule", id: "a" },
    { type: "schedule", id: "b" },
    { type: "pause", kind: null },
    { type: "pause", kind: "" },
    { type: "instance", order: 9 },
    { type: "instance", order: 10 },
    { type: "tick", scheduleId: "a", from: -5 },
    { type: "tick", scheduleId: "a", from: 3 },
    { type: "rate", kind: "mail", queueKey: "", perMs: 1_000 },
    { type: "log", order: 1 },
  ];
  assert.deepEqual([...places].reverse().sort(comparePlaces), places);
});

test("canonicalText() is one text whatever the order of members and the store's own numbers", () => {
  const pause = { kind: null, until: null, reason: "é", at: 5 };
  const { at, ...rest } = pause;
  const turned: StoreRecord = { pause: { at, ...rest }, type: "pause" };
  assert.equal(canonicalText({ type: "pause", pause }), canonicalText(turned));
  assert.equal(
    canonicalText(turned),
    '{"pause":{"at":5,"kind":null,"reason":"é","until":null},"type":"pause"}',
  );
  const line = {
    instanceId: "i",
    kind: "mail",
    attempt: 1,
    fence: 7,
    seq: 1,
    at: 5,
    level: "info",
    message: "hi",
    source: "job",
  } as const;
  const texts = [3, 4].map((order) => canonicalText({ type: "log", order, line }));
  assert.equal(texts[0], texts[1]);
});
