import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutText, utf8Bytes } from "../../../src/core/text/text_bytes.ts";

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

test("utf8Bytes() counts as the encoder does", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(utf8Bytes(text), bytesOf(text));
  }));
  assert.equal(utf8Bytes("\ud800"), 3);
  assert.equal(utf8Bytes("\udc00\ud800"), 6);
});

test("cutText() never passes the limit nor splits a character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 50 }), (text, max) => {
      const cut = cutText(text, max);
      assert.ok(bytesOf(cut) <= max);
      assert.ok(cut.isWellFormed());
    }),
  );
});
