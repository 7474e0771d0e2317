import assert from "node:assert/strict";
import { test } from "node:test";
import { LINE_BYTES_MAX } from "../../../src/cli/batch/batch_file.ts";
import { indexOfError, problemOfError, readLine } from "../../../src/cli/batch/read_line.ts";
import { JobError } from "../../../src/core/errors.ts";

const read = (text: string, kind?: string) =>
  readLine({ number: 7, end: 0, bytes: new TextEncoder().encode(text) }, kind);

test("readLine() reads the fields of the HTTP API", () => {
  const text =
    '{"kind": "report", "arguments": {"day": 1}, "after": "2h", "priority": 3, "id": "x"}';
  const line = read(text);
  assert.ok(line && "request" in line);
  const { request } = line;
  assert.equal(request.kind, "report");
  assert.equal(request.argumentsJson, '{"day":1}');
  assert.equal(request.afterMs, 7_200_000n);
  assert.equal(request.priority, 3);
  assert.equal(request.uuid, "x");
});

test("readLine() takes the kind of the command line for lines without one", () => {
  const kindOf = (line: ReturnType<typeof read>) =>
    line && "request" in line ? line.request.kind : null;
  assert.equal(kindOf(read("{}", "report")), "report");
  assert.equal(kindOf(read('{"kind": "mail"}', "report")), "mail");
  assert.equal(read("  \r"), null);
});

test("readLine() names line, column, value and remedy of what it refuses", () => {
  const at = '{"kind": "a", "at": "tomorrow"}';
  const refused: readonly (readonly [text: string, column: number, message: RegExp])[] = [
    ['{"kind": "a"', 13, /not JSON: found it ends, wanted a comma or }/],
    ["[1]", 1, /wanted an object/],
    ["  {}", 3, /it has no "kind"/],
    [at, 21, /"at" is "tomorrow", not a time such as/],
    ['{"kind": "a", "priorty": 3}', 26, /unknown field "priorty"/],
    ['{"kind": "a", "priority": "high"}', 27, /"priority" is "high", not a whole number/],
    ['{"kind": "a", "cron": "@daily"}', 23, /a line has no "cron"/],
    ['{"kind": "a", "dry_run": true}', 26, /a line has no "dry_run"/],
    ['{"kind": "a", "at": 1, "at": 2}', 21, /it has "at" twice/],
  ];
  for (const [text, column, message] of refused) {
    const line = read(text);
    assert.ok(line && "problem" in line, text);
    assert.equal(line.problem.line, 7);
    assert.equal(line.problem.column, column, text);
    assert.match(line.problem.message, message, text);
  }
});

test("readLine() refuses bytes that are not UTF-8, and lines that are too long", () => {
  const bytes = Uint8Array.of(0x22, 0xff, 0x22);
  const wrong = readLine({ number: 1, end: 0, bytes }, "a");
  assert.ok(wrong && "problem" in wrong);
  assert.match(wrong.problem.message, /not valid UTF-8/);
  const long = readLine({ number: 1, end: 0, bytes: null }, "a");
  assert.ok(long && "problem" in long);
  assert.match(long.problem.message, new RegExp(`longer than ${LINE_BYTES_MAX} bytes`));
});

test("problemOfError() turns an error about one request of a batch into one about its line", () => {
  const error = new JobError("invalid_argument", 'Cannot pass "x" to job "a" (requests[3])', {
    path: "requests[3].arguments",
    hint: "Pass a number",
  });
  assert.equal(indexOfError(error), 3);
  assert.deepEqual(problemOfError(error, { line: 9, text: '{"kind": "a", "arguments": ["x"]}' }), {
    line: 9,
    column: 28,
    message: 'Cannot pass "x" to job "a"',
    hint: "Pass a number",
  });
  assert.equal(indexOfError(new JobError("unavailable", "no store")), null);
});
