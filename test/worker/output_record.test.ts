import assert from "node:assert/strict";
import { test } from "node:test";
import { SecretMask } from "../../src/core/text/secret_mask.ts";
import { LINE_BYTES_MAX, LineSplitter } from "../../src/worker/output/line_splitter.ts";
import {
  decodeRecord,
  encodeLines,
  encodeMessage,
  endMarker,
  RECORD_BYTES_MAX,
  recordPrefix,
} from "../../src/worker/output/output_record.ts";

const TOKEN = "0123456789abcdef";
const PREFIX = recordPrefix(TOKEN);
const FIELDS = { run: 12, level: "warn", at: 1_700_000_000_000 } as const;

function read(text: string, chunkBytes = Infinity) {
  const lines: string[] = [];
  const splitter = new LineSplitter({
    mask: new SecretMask(),
    onLine: (line) => lines.push(Buffer.from(line).toString()),
    onMarker: () => lines.push("MARK"),
    records: {
      prefix: PREFIX,
      bytesMax: RECORD_BYTES_MAX,
      onRecord(bytes) {
        const record = decodeRecord(bytes)!;
        assert.deepEqual({ ...record, source: null, text: null }, {
          ...FIELDS,
          source: null,
          text: null,
        });
        lines.push(`${record.source}: ${record.text}`);
      },
    },
  });
  splitter.expect(endMarker(TOKEN, 12));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    splitter.push(bytes.subarray(at, at + chunkBytes));
  }
  splitter.flush();
  return lines;
}

for (const chunkBytes of [1, 7, 8_192, Infinity]) {
  test(`records are read as they were written when they come in chunks of ${chunkBytes}`, () => {
    const longest = "\\\n".repeat(LINE_BYTES_MAX / 2);
    const text = [
      "plain\npartial",
      encodeMessage(PREFIX, { ...FIELDS, source: "job", text: "two\nlines \\n" }),
      encodeLines(PREFIX, { ...FIELDS, source: "stderr", text: "a\n\nb" }),
      "y".repeat(LINE_BYTES_MAX + 10),
      encodeMessage(PREFIX, { ...FIELDS, source: "job", text: longest }),
      "rest",
      endMarker(TOKEN, 12),
    ].join("");
    assert.deepEqual(read(text, chunkBytes), [
      "plain",
      "partial",
      "job: two\nlines \\n",
      "stderr: a",
      "stderr: ",
      "stderr: b",
      "y".repeat(LINE_BYTES_MAX),
      "y".repeat(10),
      `job: ${longest}`,
      "rest",
      "MARK",
    ]);
  });
}

test("encodeLines() cuts a long line between characters", () => {
  const text = "€".repeat(10_000);
  const lines = read(encodeLines(PREFIX, { ...FIELDS, source: "stdout", text }));
  assert.ok(lines.length > 1);
  assert.equal(lines.map((line) => line.slice("stdout: ".length)).join(""), text);
});

test("decodeRecord() returns null for anything but a record", () => {
  for (const text of ["", "x", "1 99 5 text", "1 0 5 text"]) {
    assert.equal(decodeRecord(Buffer.from(text)), null, text);
  }
});
