import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputLimiter } from "../../src/worker/output/output_limiter.ts";
import { SecretMask } from "../../src/core/text/secret_mask.ts";

const { linesMax: OUTPUT_LINES_MAX, bytesMax: OUTPUT_BYTES_MAX } = JOB_DEFAULTS.output;

const line = (text: string | Uint8Array) =>
  ({ at: 1, level: "info", source: "stdout", text }) as const;

function collect(texts: Iterable<string>) {
  const limiter = new OutputLimiter(JOB_DEFAULTS.output, new SecretMask());
  const head = [];
  for (const text of texts) {
    const entry = limiter.push(line(text));
    if (entry) head.push(entry);
  }
  return { head, tail: limiter.finish(9) };
}

function* count(lines: number) {
  for (let index = 1; index <= lines; index++) yield String(index);
}

test("OutputLimiter keeps everything when there are as many lines as the limit", () => {
  const { head, tail } = collect(count(OUTPUT_LINES_MAX));
  const messages = [...head, ...tail].map((entry) => entry.message);
  assert.deepEqual(messages, [...count(OUTPUT_LINES_MAX)]);
});

test("OutputLimiter records what it dropped when there is one line too many", () => {
  const { head, tail } = collect(count(OUTPUT_LINES_MAX + 1));
  assert.equal(head.at(-1)!.message, String(OUTPUT_LINES_MAX / 2));
  assert.equal(tail[0]!.source, "system");
  assert.match(tail[0]!.message, /^1 line \(4 bytes\) of output dropped here/);
  assert.equal(tail[1]!.message, String(OUTPUT_LINES_MAX / 2 + 2));
  assert.equal(tail.at(-1)!.message, String(OUTPUT_LINES_MAX + 1));
});

test("OutputLimiter keeps head and tail when a million lines come", () => {
  const { head, tail } = collect(count(1_000_000));
  assert.equal(head.length + tail.length, OUTPUT_LINES_MAX + 1);
  assert.match(tail[0]!.message, /^990000 lines/);
  assert.equal(tail.at(-1)!.message, "1000000");
});

test("OutputLimiter keeps to the limit of bytes when lines are long", () => {
  const { head, tail } = collect(Array.from({ length: 1_000 }, () => "x".repeat(8_000)));
  const bytes = [...head, ...tail.slice(1)].reduce((sum, entry) => sum + entry.message.length, 0);
  assert.ok(bytes <= OUTPUT_BYTES_MAX);
  assert.ok(bytes > OUTPUT_BYTES_MAX - 20_000);
});

test("OutputLimiter makes text safe that is not UTF-8 or has a NUL", () => {
  const limiter = new OutputLimiter(JOB_DEFAULTS.output, new SecretMask());
  const entry = limiter.push(line(Uint8Array.of(97, 0xff, 0, 98)));
  assert.equal(entry!.message, "a\ufffd␀b");
});

test("OutputLimiter keeps to limits of a few lines and bytes", () => {
  const limits = { ...JOB_DEFAULTS.output, linesMax: 4, bytesMax: 100 };
  const limiter = new OutputLimiter(limits, new SecretMask());
  const head = ["a", "b", "c", "d", "e"].map((text) => limiter.push(line(text)));
  assert.deepEqual(head.map((entry) => entry?.message), ["a", "b", ...Array(3).fill(undefined)]);
  const messages = limiter.finish(9).map((entry) => entry.message);
  assert.match(messages[0]!, /^1 line \(1 byte\) .* keeps 4 lines and 100 bytes$/);
  assert.deepEqual(messages.slice(1), ["d", "e"]);
});

test("OutputLimiter masks secrets in the head and in the tail", () => {
  const mask = new SecretMask(["hunter2", "hunter2-and-more", "short", "line one\nline two"]);
  const limiter = new OutputLimiter({ ...JOB_DEFAULTS.output, linesMax: 2, bytesMax: 100 }, mask);
  const entry = limiter.push(line("hunter2 <hunter2-and-more> short"))!;
  assert.equal(entry.message, "*** <***> short");
  assert.equal(limiter.push(line(Buffer.from("x line two x"))), null);
  assert.equal(limiter.finish(9)[0]!.message, "x *** x");
});
