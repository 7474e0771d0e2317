import assert from "node:assert/strict";
import { test } from "node:test";
import { convertArguments } from "../../../src/core/arguments/convert.ts";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import type { Signature } from "../../../src/core/arguments/signature.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";

function javascript(source: string): Signature {
  return readSignature(source, { language: "js" });
}

const PARAMS: readonly [tags: string, params: string, wanted: string][] = [
  ["@param {number} x", "x", "k <x: number>"],
  ["@param {number} x the first\n * @param {string} y", "x, y", "k <x: number> <y: string>"],
  ["@param {string} [x]", "x", "k [x: string]"],
  ["@param {number} [x=1] how often", "x", "k [x: number = 1]"],
  ["@param {number} [x = 1]", "x", "k [x: number = 1]"],
  ["@param {string=} x", "x", "k [x: string]"],
  ["@param {?number} x", "x", "k <x: number | null>"],
  ["@param {!Date} x", "x", "k <x: Date>"],
  ["@param {*} x", "x", "k <x: unknown>"],
  ["@param {Array.<number>} x", "x", "k <x: number[]>"],
  ["@param {Object.<string, number>} x", "x", "k <x: Record<string, number>>"],
  ["@param {Object<string, number>} x", "x", "k <x: Record<string, number>>"],
  ["@param {'a'|'b'} x", "x", 'k <x: "a" | "b">'],
  ["@param {{a: number, b?: string}} x", "x", "k <x: { a: number; b?: string }>"],
  ["@param {...number} xs", "...xs", "k [...xs: number]"],
  ["@param {number[]} xs", "...xs", "k [...xs: number]"],
  ['@param {import("ts-job").Context} ctx\n * @param {Int} x', "ctx, x", "k <x: Int>"],
  [
    "@param {Context} ctx\n * @param {AbortSignal} s\n * @param {Duration} x",
    "ctx, s, x",
    "k <x: Duration>",
  ],
  [
    "@param {Object} o\n * @param {number} o.a\n * @param {string} [o.b]",
    "{ a, b }",
    "k <{ a: number; b?: string }>",
  ],
  ["@arg {number} x", "x", "k <x: number>"],
  ["Adds.\n *\n * @param {number} x - first", "x", "k <x: number>"],
  ["@param {number} x", "x, y", "k <x: number> <y: unknown>"],
  ["@param {number} x", "x, y = 'a'", "k <x: number> [y: string = 'a']"],
];

for (const [tags, params, wanted] of PARAMS) {
  test(`readSignature() reads (${params}) after ${JSON.stringify(tags)}`, () => {
    const signature = javascript(`/**\n * ${tags}\n */\nexport default function (${params}) {}`);
    assert.equal(describeSignature("k", signature), wanted);
    assert.equal(signature.isTyped, true);
    assert.deepEqual(signature.warnings, []);
  });
}

test("readSignature() reads typedefs and imports of doc comments", () => {
  const signature = javascript(`
    /** @import { Context } from "ts-job" */
    /**
     * @typedef {Object} Order
     * @property {number} id Its number
     * @property {string} [note]
     */
    /** @typedef {{ orders: Order[], next?: Page }} Page */

    /**
     * Bills.
     *
     * @param {Context} context
     * @param {Order} order
     * @param {Page} [page]
     * @returns {Promise<[number, string]>} what was billed
     */
    export default async function bill(context, order, page) {}
  `);
  assert.deepEqual(signature.warnings, []);
  assert.equal(describeSignature("k", signature), "k <order: Order> [page: Page]");
  assert.equal(signature.resultCount, 2);
  assert.deepEqual(convertArguments(signature, [{ id: "1" }, '{"orders":[{"id":"2"}]}']), [
    { id: 1 },
    { orders: [{ id: 2 }] },
  ]);
  assert.throws(
    () => convertArguments(signature, [{ id: 1 }, { orders: [], next: { orders: [{ id: "x" }] } }]),
    /argument "page.next.orders\[0\].id"/,
  );
  const [, order] = signature.parameters;
  assert.ok(order?.role === "argument" && order.shape.type === "object");
  assert.equal(order.shape.members[0]?.doc, "Its number");
});

test("readSignature() reads the type of a constant and of a parameter in doc comments", () => {
  const whole = javascript(
    "/** @type {(x: number, y?: Date) => void} */\nconst run = (x, y) => {};\nexport default run;",
  );
  assert.equal(describeSignature("k", whole), "k <x: number> [y: Date]");
  const each = javascript("export default (/** @type {number} */ x) => {};");
  assert.equal(describeSignature("k", each), "k <x: number>");
});

test("readSignature() passes values as they come when plain JavaScript has no types", () => {
  const signature = javascript("/** Adds. */\nexport default function (a, b) {}");
  assert.equal(signature.isTyped, false);
  assert.deepEqual(signature.warnings, []);
  assert.equal(signature.doc, "Adds.");
  assert.deepEqual(convertArguments(signature, ["1", { a: 2 }, true]), ["1", { a: 2 }, true]);
});

test("readSignature() warns with the line when a type of a doc comment cannot be read", () => {
  const { warnings } = javascript(
    "\n\n/**\n * @param {Missing} x\n */\nexport default function (x) {}",
  );
  assert.deepEqual(warnings.map(({ message, line }) => [message, line]), [
    ['Type "Missing" is taken as unknown', 3],
  ]);
});

test("readSignature() does not read types of doc comments in TypeScript", () => {
  const source = "/** @param {number} x */\nexport default function (x) {}";
  assert.equal(readSignature(source).isTyped, false);
});

for (
  const tags of [
    "@param {number x",
    "@param {} x",
    "@param",
    "@typedef {number} 1x",
    "@param {a b} x",
  ]
) {
  test(`readSignature() ends when a doc comment says ${tags}`, () => {
    const signature = javascript(`/** ${tags} */\nexport default function (x) {}`);
    assert.deepEqual(convertArguments(signature, ["1"]), ["1"]);
  });
}
