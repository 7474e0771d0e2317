import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { LineQueue, type RawLine } from "../../src/worker/output/line_queue.ts";

declare const Bun: { gc(isComplete: boolean): void };

const JSC = "bun:jsc";

const line = (text: string | Uint8Array, at = 1): RawLine => {
  return { at, level: "info", source: "stdout", text };
};

const textsOf = (queue: LineQueue) => [...queue].map(({ text }) => Buffer.from(text).toString());

test("LineQueue returns lines as they came, of any length and from any source", () => {
  const queue = new LineQueue();
  const texts = ["", "a", "ü\ud800", "x".repeat(65_535), "y", "z".repeat(200_000), ""];
  for (const [index, text] of texts.entries()) queue.push(line(text, index + 0.5));
  queue.push({ at: 9, level: "warn", source: "stderr", text: Uint8Array.of(0xff) });
  assert.deepEqual(textsOf(queue).slice(0, -1), texts.map((text) => text.toWellFormed()));
  const [first, ...others] = queue;
  assert.deepEqual(first, line(new Uint8Array(), 0.5));
  assert.deepEqual(others.map(({ at }) => at), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 9]);
  const last = { at: 9, level: "warn", source: "stderr", text: Uint8Array.of(0xff) };
  assert.deepEqual(others.at(-1), last);
});

test("LineQueue drops lines from its beginning, also all of them", () => {
  const queue = new LineQueue();
  for (let index = 0; index < 5_000; index++) queue.push(line(String(index)));
  for (let index = 0; index < 4_000; index++) assert.equal(queue.drop(), String(index).length);
  assert.deepEqual([queue.length, queue.bytes], [1_000, 4_000]);
  assert.deepEqual(textsOf(queue), Array.from({ length: 1_000 }, (_, index) => `${index + 4_000}`));
  for (let index = 0; index < 1_000; index++) queue.drop();
  assert.deepEqual([queue.length, queue.bytes, textsOf(queue)], [0, 0, []]);
  queue.push(line("again"));
  assert.deepEqual(textsOf(queue), ["again"]);
});

test("LineQueue keeps nothing of the chunk that a line was read from, and no value for each", {
  skip: runtimeName() !== "bun" && "the values of other engines cannot be counted",
}, async () => {
  const { heapStats } = await import(JSC) as { heapStats(): { readonly objectCount: number } };
  const count = () => {
    Bun.gc(true);
    return heapStats().objectCount;
  };
  const queue = new LineQueue();
  const before = count();
  for (let index = 0; index < 100_000; index++) {
    queue.push(line(Buffer.alloc(1_024).subarray(0, 1)));
  }
  const values = count() - before;
  assert.ok(values < 2_000, `${values} values for ${queue.length} lines`);
});
