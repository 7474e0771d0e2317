import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsonPath, valueAt } from "../../../src/core/hooks/json_path.ts";

/** The first ones are the examples of RFC 9535, sections 2.3.1.3, 2.3.3.3 and 2.7. */
const READ: readonly (readonly [text: string, path: readonly (string | number)[]])[] = [
  ["$.o['j j']", ["o", "j j"]],
  ["$.o['j j']['k.k']", ["o", "j j", "k.k"]],
  [`$.o["j j"]["k.k"]`, ["o", "j j", "k.k"]],
  [`$["'"]["@"]`, ["'", "@"]],
  ["$[1]", [1]],
  ["$[-2]", [-2]],
  ["$", []],
  ["$ .a [ 0 ] [ 'b' ]", ["a", 0, "b"]],
  ["$.ünï._x9", ["ünï", "_x9"]],
  [`$['\\u263a\\n\\'\\/"']`, [`☺\n'/"`]],
  [`$["\\uD83D\\uDE00"]`, ["😀"]],
  ["$['']", [""]],
  ["$.__proto__.constructor", ["__proto__", "constructor"]],
];

for (const [text, path] of READ) {
  test(`parseJsonPath() reads ${text}`, () => {
    assert.deepEqual(parseJsonPath(text), path);
  });
}

const REFUSED: readonly (readonly [text: string, reason: RegExp])[] = [
  ["ref", /does not begin with "\$"/],
  ["", /does not begin with "\$"/],
  ["$.", /character 3 found its end, wanted a name/],
  ["$.9a", /character 3 found "9a", wanted a name/],
  ["$a", /character 2 found "a", wanted ".", "\[" or the end/],
  ["$.a ", /wanted "\.", "\[" or the end/],
  ["$[01]", /found "1\]", wanted "\]"/],
  ["$[-0]", /wanted a name in quotes, or an index/],
  ["$[9007199254740993]", /wanted a smaller index/],
  ["$['a", /found its end, wanted the closing quote/],
  [`$['\\"']`, /no backslash before "/],
  [`$['\\x']`, /wanted the closing quote/],
  [`$['\\ud800']`, /pairs of surrogates/],
  ["$['a\nb']", /an escape in place of a control character/],
  ["$.*", /selects several values/],
  ["$..a", /selects several values/],
  ["$[*]", /selects several values/],
  ["$[1:2]", /selects several values/],
  ["$[0,1]", /selects several values/],
  ["$['a','b']", /selects several values/],
  ["$[?@.a]", /selects several values/],
  [`$.${"a".repeat(1_000)}`, /1002 characters, wanted at most 1000/],
];

for (const [text, reason] of REFUSED) {
  test(`parseJsonPath() refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    assert.throws(() => parseJsonPath(text), reason);
  });
}

test("parseJsonPath() refuses a hostile path in time", () => {
  const began = process.cpuUsage().user;
  for (const text of ["$" + " ".repeat(990), "$" + "[".repeat(990), `$['${"\\".repeat(990)}`]) {
    assert.throws(() => parseJsonPath(text));
  }
  assert.ok(process.cpuUsage().user - began < 1_000_000);
});

test("valueAt() finds own members and elements, and nothing else", () => {
  const root = JSON.parse('{"a":[1,{"b":null}],"__proto__":{"x":7}}');
  const at = (text: string) => valueAt(root, parseJsonPath(text));
  assert.equal(at("$"), root);
  assert.equal(at("$.a[1].b"), null);
  assert.equal(at("$.a[-2]"), 1);
  assert.equal(at("$.__proto__.x"), 7);
  for (
    const text of [
      ...["$.b", "$.a[2]", "$.a[-3]", "$.a.length", "$.a['0']", "$.a[1].b.c", "$[0]"],
      ...["$.constructor", "$.toString", "$.a.map", "$.__proto__.__proto__", "$.a[0].toFixed"],
    ]
  ) assert.equal(at(text), undefined, text);
  assert.equal(valueAt(undefined, []), undefined);
  assert.equal(valueAt("text", ["length"]), undefined);
});
