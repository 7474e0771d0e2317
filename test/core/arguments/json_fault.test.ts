import assert from "node:assert/strict";
import { test } from "node:test";
import { findJsonFault, memberIndex } from "../../../src/core/arguments/json_fault.ts";

const VALID = [
  "null",
  " [] ",
  "{}",
  '{"a": [1, -2.5e3, "x\\u00e9\\n", true, {"b": null}], "c": {}}',
  '"text"',
  "-0",
];

const INVALID: readonly (readonly [text: string, index: number, message: RegExp])[] = [
  ["", 0, /it ends, wanted a value/],
  ['{"a": 1', 7, /it ends, wanted a comma or }/],
  ['{"a" 1}', 5, /"1", wanted a colon/],
  ["{a: 1}", 1, /"a", wanted a name/],
  ['{"a": 1,}', 8, /"}", wanted a name/],
  ["[1 2]", 3, /"2", wanted a comma or ]/],
  ["[1,]", 3, /"]", wanted a value/],
  ['{"a": tomorrow}', 6, /"tomorrow", wanted a value/],
  ['{"a": 01}', 6, /"01", wanted a value/],
  ['{"a": "x}', 6, /a text that is not closed/],
  ["{} {}", 3, /"{", wanted the end of the line/],
  ['{"a": 1]', 7, /"]", wanted a comma or }/],
];

test("findJsonFault() finds nothing in JSON", () => {
  for (const text of VALID) {
    JSON.parse(text);
    assert.equal(findJsonFault(text), null, text);
  }
});

test("findJsonFault() says where text stops to be JSON, and what would be right there", () => {
  for (const [text, index, message] of INVALID) {
    assert.throws(() => JSON.parse(text));
    const fault = findJsonFault(text);
    assert.equal(fault?.index, index, text);
    assert.match(fault!.message, message, text);
  }
});

test("findJsonFault() agrees with JSON.parse about every text of a few characters", () => {
  const characters = ["{", "}", "[", "]", ",", ":", '"a"', "1", " "];
  const texts = (length: number): string[] =>
    length === 0 ? [""] : texts(length - 1).flatMap((text) => characters.map((one) => text + one));
  for (const text of [1, 2, 3, 4, 5].flatMap(texts)) {
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    if ((findJsonFault(text) === null) !== isJson) assert.fail(`${text} is JSON: ${isJson}`);
  }
});

test("memberIndex() finds the value of a member of the outermost object only", () => {
  const text = '{"x": {"at": 1}, "y": "\\"at\\":", "at" : 2}';
  assert.equal(text[memberIndex(text, "at")], "2");
  assert.equal(memberIndex(text, "none"), -1);
});
