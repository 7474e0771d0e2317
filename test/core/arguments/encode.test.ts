import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeError,
  encodeJson,
  encodeResults,
  ERROR_MESSAGE_BYTES_MAX,
  ERROR_STACK_BYTES_MAX,
} from "../../../src/core/arguments/encode.ts";
import { isJobError, JobError } from "../../../src/core/errors.ts";

function encode(value: unknown, bytesMax = 100_000): string {
  return encodeJson(value, { bytesMax, what: "the value" });
}

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(String(value)).length;
}

const cycle: Record<string, unknown> = { name: "a" };
cycle.self = cycle;
const shared = { n: 1 };
const throwingGetter = {
  good: 1,
  get bad(): never {
    throw new Error("no");
  },
};
const throwingProxy = new Proxy({}, {
  ownKeys() {
    throw new Error("no");
  },
});
const revoked = Proxy.revocable({}, {});
revoked.revoke();
class Point {
  x = 1;
  toJSON() {
    return { x: this.x, when: new Date(0) };
  }
}

const ENCODINGS: readonly [name: string, value: unknown, wanted: string][] = [
  ["null", null, "null"],
  ["undefined", undefined, "null"],
  ["a function", () => 1, "null"],
  ["a symbol", Symbol("s"), "null"],
  ["a number", 1.5, "1.5"],
  ["minus zero", -0, "0"],
  ["NaN", NaN, '"NaN"'],
  ["an infinity", [Infinity, -Infinity], '["Infinity","-Infinity"]'],
  ["a safe bigint", 42n, "42"],
  ["the largest safe bigint", 9007199254740991n, "9007199254740991"],
  ["a bigint one above", 9007199254740992n, '"9007199254740992"'],
  ["a negative large bigint", -9007199254740992n, '"-9007199254740992"'],
  ["a bigint of 40,001 bits", 1n << 40_000n, '"[Huge integer]"'],
  ["a string", 'a"b\n', '"a\\"b\\n"'],
  ["a lone surrogate", "a\ud800b", '"a\ufffdb"'],
  ["a lone surrogate in a key", { "\udc00": 1 }, '{"\ufffd":1}'],
  ["a Date", new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ["an invalid Date", new Date(NaN), '"Invalid Date"'],
  [
    "a Map with text keys",
    new Map<string, unknown>([["a", 1], ["__proto__", 2]]),
    '{"a":1,"__proto__":2}',
  ],
  ["a Map with other keys", new Map<unknown, unknown>([[1, "a"], ["b", 2]]), '[[1,"a"],["b",2]]'],
  ["a Set", new Set([1, "a"]), '[1,"a"]'],
  ["bytes", new Uint8Array([1, 2, 255]), '"AQL/"'],
  ["an ArrayBuffer", new Uint8Array([1, 2, 3]).buffer, '"AQID"'],
  ["other typed arrays", new Float64Array([1.5, NaN]), '[1.5,"NaN"]'],
  ["a regular expression", /a"/g, '"/a\\"/g"'],
  ["a promise", Promise.resolve(1), '"[Promise]"'],
  ["boxed values", [Object(1), Object("a"), Object(true), Object(2n)], '[1,"a",true,2]'],
  ["dropped members", { a: undefined, b: () => 1, c: Symbol(), d: 1 }, '{"d":1}'],
  ["dropped elements", [undefined, () => 1, Symbol()], "[null,null,null]"],
  ["holes", [, 1], "[null,1]"],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  ["a __proto__ key", JSON.parse('{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}'],
  [
    "an error",
    Object.assign(new TypeError("no"), { code: 7 }),
    '{"name":"TypeError","message":"no","code":7}',
  ],
  ["a cycle", cycle, '{"name":"a","self":"[Circular]"}'],
  ["a shared object", [shared, shared], '[{"n":1},{"n":1}]'],
  ["a throwing getter", throwingGetter, '{"good":1,"bad":"[Unreadable]"}'],
  ["a throwing proxy", [1, throwingProxy, 2], '[1,"[Unreadable]",2]'],
  ["a revoked proxy", { a: revoked.proxy }, '{"a":"[Unreadable]"}'],
  ["toJSON", new Point(), '{"x":1,"when":"1970-01-01T00:00:00.000Z"}'],
  ["toJSON of undefined", { a: { toJSON: () => undefined }, b: 1 }, '{"a":null,"b":1}'],
  ["a throwing toJSON", {
    a: {
      toJSON: () => {
        throw 1;
      },
    },
  }, '{"a":"[Unreadable]"}'],
  ["a toJSON that answers itself", {
    a: 1,
    toJSON() {
      return this;
    },
  }, '{"a":1}'],
  ["a fake Date", Object.create(Date.prototype), '"[Unreadable]"'],
];

for (const [name, value, wanted] of ENCODINGS) {
  test(`encodeJson() writes ${wanted.slice(0, 40)} for ${name}`, () => {
    assert.equal(encode(value), wanted);
  });
}

test("encodeJson() writes what JSON.stringify does for any JSON value", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assert.deepEqual(JSON.parse(encode(value)), JSON.parse(JSON.stringify(value)));
  }));
});

test("encodeJson() never throws and writes JSON for anything", () => {
  const hostile = fc.constantFrom(...ENCODINGS.map(([, value]) => value));
  const options = {
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
    withBoxedValues: true,
    withObjectString: true,
  };
  const anything = fc.anything(options);
  fc.assert(fc.property(anything, hostile, (value, other) => {
    const text = encode([value, { other, again: value }], 10_000_000);
    JSON.parse(text);
    // A second trip changes nothing: what is stored is what was encoded.
    assert.equal(encode(JSON.parse(text), 10_000_000).length, text.length);
  }));
});

test("encodeJson() takes text of exactly the limit and refuses a byte more", () => {
  assert.equal(encode("aé€😀", 12), '"aé€😀"');
  assert.throws(() => encode("aé€😀", 11), (error) => {
    assert.ok(isJobError(error, "invalid_argument"));
    assert.match(error.message, /^Cannot encode the value: more than 11 bytes of JSON$/);
    return true;
  });
});

test("encodeJson() counts escapes as the bytes that they take", () => {
  assert.equal(encode("\0", 8), '"\\u0000"');
  assert.throws(() => encode("\0", 7));
});

test("encodeJson() stops early when a value is endless", () => {
  let reads = 0;
  const endless = (): object => ({
    get left() {
      reads++;
      return endless();
    },
    get right() {
      return endless();
    },
  });
  assert.throws(() => encode(endless(), 10_000), JobError);
  assert.ok(reads < 10_000);
});

test("encodeJson() stops early when a shared object would double at each level", () => {
  let value: unknown = [];
  for (let level = 0; level < 100; level++) value = [value, value];
  assert.throws(() => encode(value), JobError);
});

test("encodeJson() stops when too many members are dropped", () => {
  const empty = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, undefined]));
  assert.throws(() => encode(Array.from({ length: 1_000 }, () => empty)), JobError);
});

test("encodeJson() refuses a huge array by its length alone", () => {
  assert.throws(() => encode(new Array(4_000_000_000)), JobError);
});

test("encodeJson() marks what is nested too deeply", () => {
  let value: unknown = 1;
  for (let level = 0; level < 100_000; level++) value = [value];
  assert.match(encode(value), /"\[Too deep\]"/);
});

const RESULTS: readonly [name: string, value: unknown, count: number | null, wanted: string][] = [
  ["undefined", undefined, null, "[]"],
  ["undefined of a declared type", undefined, 1, "[]"],
  ["whatever a void function returned", 3, 0, "[]"],
  ["null", null, null, "[null]"],
  ["a number", 5, 1, "[5]"],
  ["an array without a tuple type", [1, 2], null, "[[1,2]]"],
  ["an array of one declared result", [1, 2], 1, "[[1,2]]"],
  ["a tuple", [1, "a"], 2, '[1,"a"]'],
  ["a tuple with a gap", [1, undefined, 3], 3, "[1,null,3]"],
  ["no array where a tuple was declared", "a", 2, '["a"]'],
  ["a revoked proxy", revoked.proxy, 2, '["[Unreadable]"]'],
];

for (const [name, value, count, wanted] of RESULTS) {
  test(`encodeResults() gives ${wanted} for ${name}`, () => {
    assert.equal(encodeResults(value, count), wanted);
  });
}

test("encodeResults() names the result when it is too large", () => {
  assert.throws(
    () => encodeResults("x".repeat(2_000_000), 1),
    /Cannot encode the result: more than 1048576/,
  );
});

const frozen = Object.freeze(new RangeError("cold"));
const getters = Object.defineProperties(new Error("x"), {
  message: {
    get: () => {
      throw new Error("no");
    },
  },
  name: {
    get: () => {
      throw new Error("no");
    },
  },
  stack: {
    get: () => {
      throw new Error("no");
    },
  },
});

const THROWN: readonly [name: string, thrown: unknown, errorName: string, message: string][] = [
  ["undefined", undefined, "NonError", "undefined"],
  ["null", null, "NonError", "null"],
  ["42", 42, "NonError", "42"],
  ["a bigint", 42n, "NonError", "42"],
  ["a string", "broken", "NonError", "broken"],
  ["a symbol", Symbol("s"), "NonError", "Symbol(s)"],
  ["a plain object", { code: 1 }, "NonError", '{"code":1}'],
  ["an object with a message", { message: "told" }, "Error", "told"],
  ["an Error", new TypeError("bad"), "TypeError", "bad"],
  ["a frozen Error", frozen, "RangeError", "cold"],
  ["an Error with throwing getters", getters, "NonError", '"[Unreadable]"'],
  ["a revoked proxy", revoked.proxy, "NonError", '"[Unreadable]"'],
];

for (const [name, thrown, errorName, message] of THROWN) {
  test(`encodeError() tells ${errorName} when ${name} is thrown`, () => {
    const error = encodeError(thrown);
    assert.equal(error.name, errorName);
    if (name !== "an Error with throwing getters") assert.equal(error.message, message);
  });
}

test("encodeError() cuts a message of a megabyte", () => {
  const { message, stack } = encodeError(new Error("é".repeat(1_000_000)));
  assert.ok(bytesOf(message) <= ERROR_MESSAGE_BYTES_MAX);
  assert.ok(bytesOf(message) > ERROR_MESSAGE_BYTES_MAX - 5);
  assert.ok(bytesOf(stack) <= ERROR_STACK_BYTES_MAX);
});

test("encodeError() tells the causes and ends at a cycle", () => {
  const inner = new Error("inner");
  const outer = new Error("outer", { cause: inner });
  inner.cause = outer;
  const { stack } = encodeError(outer);
  assert.match(stack ?? "", /outer[^]*Caused by: [^]*inner/);
  assert.equal(stack?.match(/Caused by/g)?.length, 1);
});

test("encodeError() never throws for anything", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (thrown) => {
      const { name, message } = encodeError(thrown);
      assert.equal(typeof name, "string");
      assert.ok(bytesOf(message) <= ERROR_MESSAGE_BYTES_MAX);
    }),
  );
});

test("encodeError() keeps an error whose message cannot be read from being asked again and again", () => {
  const error = new Error("m");
  Object.defineProperty(error, "message", {
    get() {
      throw new Error("never");
    },
  });
  const { name, message } = encodeError(error);
  assert.equal(name, "NonError");
  assert.equal(message, '{"name":"Error","message":"[Unreadable]"}');
});
