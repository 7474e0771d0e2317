import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bindArguments, convertArguments } from "../../../src/core/arguments/convert.ts";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import { encodeJson } from "../../../src/core/arguments/encode.ts";
import { JobError } from "../../../src/core/errors.ts";
import type {
  InjectedType,
  MemberShape,
  ParameterShape,
  Signature,
  TypeShape,
} from "../../../src/core/arguments/signature.ts";

const NUMBER: TypeShape = { type: "number" };
const STRING: TypeShape = { type: "string" };
const BOOLEAN: TypeShape = { type: "boolean" };
const BIGINT: TypeShape = { type: "bigint" };
const DATE: TypeShape = { type: "date" };
const NULL: TypeShape = { type: "null" };
const UNDEFINED: TypeShape = { type: "undefined" };
const UNKNOWN: TypeShape = { type: "unknown" };

const literal = (value: string | number | boolean): TypeShape => ({ type: "literal", value });
const arrayOf = (element: TypeShape): TypeShape => ({ type: "array", element });
const tuple = (...shapes: TypeShape[]): TypeShape => ({
  type: "tuple",
  elements: shapes.map((shape) => ({ shape })),
});
const union = (...members: TypeShape[]): TypeShape => ({ type: "union", members });
const record = (value: TypeShape): TypeShape => ({ type: "record", value });

/** Members by name; a name that ends with "?" is optional. */
function object(members: Readonly<Record<string, TypeShape>>, name?: string): TypeShape {
  const shapes = Object.entries(members).map(([key, shape]): MemberShape => ({
    name: key.replace(/\?$/, ""),
    shape,
    isOptional: key.endsWith("?"),
  }));
  return { type: "object", name, members: shapes };
}

type ParameterOptions = { isOptional?: boolean; isRest?: boolean; defaultText?: string };

function argument(name: string, shape: TypeShape, options: ParameterOptions = {}): ParameterShape {
  const { isOptional = false, isRest = false, defaultText } = options;
  return { role: "argument", name, shape, isOptional: isOptional || isRest, isRest, defaultText };
}

function injected(inject: InjectedType): ParameterShape {
  return { role: "injected", name: inject.toLowerCase(), inject };
}

function signature(...parameters: ParameterShape[]): Signature {
  return { parameters, resultCount: null, isTyped: true, warnings: [] };
}

const optional = { isOptional: true };
const sum = signature(argument("x", NUMBER), argument("y", NUMBER));

function convertOne(shape: TypeShape, value: unknown): unknown {
  return convertArguments(signature(argument("x", shape)), [value], { kind: "job" })[0];
}

/** The error of a call that must fail. */
function errorOf(action: () => unknown): JobError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof JobError, String(error));
    assert.equal(error.code, "invalid_argument");
    return error;
  }
  assert.fail("no error was thrown");
}

const ORDER = object(
  { id: BIGINT, "note?": STRING, lines: arrayOf(object({ price: NUMBER })) },
  "Order",
);
const proto = JSON.parse('{"__proto__":{"polluted":true}}');

type Good = readonly [name: string, shape: TypeShape, value: unknown, wanted: unknown];

const GOOD: readonly Good[] = [
  ["number", NUMBER, 42, 42],
  ["number text", NUMBER, "42", 42],
  ["signed decimal text", NUMBER, "-1.5e3", -1500],
  ["text with a plus", NUMBER, "+7", 7],
  ["text of a number that is exact beyond 2^53", NUMBER, "9007199254740994", 9007199254740994],
  ["a safe bigint for a number", NUMBER, 5n, 5],
  ["string", STRING, "a", "a"],
  ["empty string", STRING, "", ""],
  ["number-like string", STRING, "42", "42"],
  ["a Date for a string", STRING, new Date(0), "1970-01-01T00:00:00.000Z"],
  ["boolean", BOOLEAN, false, false],
  ["boolean text", BOOLEAN, "true", true],
  ...["1", "t", "T", "TRUE", "true", "True", 1, 1n].map((value): Good => {
    return [`the ${typeof value} ${value} for true`, BOOLEAN, value, true];
  }),
  ...["0", "f", "F", "FALSE", "false", "False", 0, 0n].map((value): Good => {
    return [`the ${typeof value} ${value} for false`, BOOLEAN, value, false];
  }),
  ["a number for a string", STRING, 42, "42"],
  ["a decimal number for a string", STRING, -1.5, "-1.5"],
  ["a bigint for a string", STRING, 5n, "5"],
  ["a large bigint for a string", STRING, -(2n ** 63n), "-9223372036854775808"],
  ["a boolean for a string", STRING, true, "true"],
  ["the least 64-bit integer as a bigint for a number", NUMBER, -(2n ** 63n), -(2 ** 63)],
  ["the least 64-bit integer as text for a number", NUMBER, "-9223372036854775808", -(2 ** 63)],
  ["a large power of ten as a bigint for a number", NUMBER, 10n ** 300n, 1e300],
  ["a bigint for a Date", DATE, 1767225600000n, new Date("2026-01-01T00:00:00Z")],
  [
    "numbers and booleans for text in objects and arrays",
    object({ a: arrayOf(STRING), b: record(BOOLEAN) }),
    { a: [1, 2n, true, "x"], b: { c: 0, d: "T" } },
    { a: ["1", "2", "true", "x"], b: { c: false, d: true } },
  ],
  ["a number for a text literal", union(literal("1"), literal("2")), 2, "2"],
  ["bigint", BIGINT, 5n, 5n],
  ["number for a bigint", BIGINT, 5, 5n],
  ["bigint text", BIGINT, "123456789012345678901", 123456789012345678901n],
  ["Date", DATE, new Date(5), new Date(5)],
  ["epoch milliseconds", DATE, 1767225600000, new Date("2026-01-01T00:00:00Z")],
  ["epoch milliseconds text", DATE, "1767225600000", new Date("2026-01-01T00:00:00Z")],
  ["date text", DATE, "2026-01-31", new Date("2026-01-31T00:00:00Z")],
  [
    "date and time text without offset, as UTC",
    DATE,
    "2026-01-31T06:30",
    new Date("2026-01-31T06:30:00Z"),
  ],
  [
    "time with an offset",
    DATE,
    "2026-01-31 06:30:15.25+02:00",
    new Date("2026-01-31T04:30:15.250Z"),
  ],
  ["time with a short offset", DATE, "2026-01-31T06:30:00-0130", new Date("2026-01-31T08:00:00Z")],
  ["29 February of a leap year", DATE, "2028-02-29", new Date("2028-02-29")],
  ["a far date", DATE, "+275760-09-13T00:00:00.000Z", new Date(8.64e15)],
  ["null", NULL, null, null],
  ["null text", NULL, "null", null],
  ["undefined", UNDEFINED, undefined, undefined],
  ["null for undefined", UNDEFINED, null, undefined],
  ["unknown", UNKNOWN, "42", "42"],
  ["null for unknown", UNKNOWN, null, null],
  ["text literal", literal("a"), "a", "a"],
  ["number literal from text", literal(3), "3", 3],
  ["boolean literal from text", literal(true), "true", true],
  ["array", arrayOf(NUMBER), [1, "2"], [1, 2]],
  ["array text", arrayOf(NUMBER), ' [1, "2"]', [1, 2]],
  ["empty array", arrayOf(NUMBER), [], []],
  ["Set for an array", arrayOf(NUMBER), new Set([1]), [1]],
  ["typed array for an array", arrayOf(NUMBER), new Float32Array([1.5]), [1.5]],
  ["tuple", tuple(NUMBER, STRING), ["1", "a"], [1, "a"]],
  ["tuple with an optional end", tuple(NUMBER, union(STRING, UNDEFINED)), [1], [1]],
  ["object", object({ a: NUMBER }), { a: "1" }, { a: 1 }],
  ["object text", object({ a: NUMBER }), '{"a": 1}', { a: 1 }],
  ["Map for an object", object({ a: NUMBER }), new Map([["a", 1]]), { a: 1 }],
  ["members that the type does not name", object({ a: NUMBER }), { a: 1, b: "2" }, {
    a: 1,
    b: "2",
  }],
  ["a missing optional member", object({ "a?": NUMBER }), {}, {}],
  ["an undefined optional member", object({ "a?": NUMBER }), { a: undefined }, {}],
  ["a missing member that takes undefined", object({ a: union(NUMBER, UNDEFINED) }), {}, {}],
  ["nested", ORDER, { id: "7", lines: [{ price: "1.5" }] }, { id: 7n, lines: [{ price: 1.5 }] }],
  ["record", record(NUMBER), { a: "1", b: 2 }, { a: 1, b: 2 }],
  ["record text", record(DATE), '{"a":0}', { a: new Date(0) }],
  ["a __proto__ member as data", record(UNKNOWN), proto, proto],
  ["union by its type", union(NUMBER, STRING), "42", "42"],
  ["union by conversion", union(NUMBER, NULL), "42", 42],
  ["union's null", union(NUMBER, NULL), null, null],
  ["union's null text", union(NUMBER, NULL), "null", null],
  ["union of literals", union(literal("a"), literal("b")), "b", "b"],
  ["literal before text", union(literal(1), literal("1")), "1", "1"],
  ["a Date of a union with string", union(STRING, DATE), new Date(5), new Date(5)],
  [
    "a Date's JSON in a union with string",
    union(STRING, DATE),
    "2026-01-01T00:00:00.000Z",
    new Date("2026-01-01"),
  ],
  ["other date text in a union with string", union(STRING, DATE), "2026-01-01", "2026-01-01"],
  [
    "a large integer in a union with number",
    union(NUMBER, BIGINT),
    "1152921504606846976",
    1152921504606846976n,
  ],
  [
    "union of objects by their members",
    union(object({ k: literal("a"), v: NUMBER }), object({ k: literal("b"), v: STRING })),
    { k: "b", v: "1" },
    { k: "b", v: "1" },
  ],
  ["a union's exact member before text", union(STRING, NUMBER), 1, 1],
  ["a union's exact member before a boolean", union(BOOLEAN, NUMBER), 1, 1],
  ["a union's number text before a boolean", union(BOOLEAN, NUMBER), "1", 1],
  ["a union's boolean text", union(BOOLEAN, NUMBER), "T", true],
  ["a union's text before null", union(NULL, STRING), 5, "5"],
  ["a union's exact boolean before text", union(STRING, BOOLEAN), true, true],
  ["a union's Date before text", union(STRING, DATE), 5, new Date(5)],
  [
    "a union of objects by the exact type of a member",
    union(object({ v: STRING }), object({ v: NUMBER })),
    { v: 1 },
    { v: 1 },
  ],
  [
    "a union of objects by the type that a member converts to",
    union(object({ v: STRING }), object({ v: DATE })),
    { v: true },
    { v: "true" },
  ],
  [
    "an enum's exact value before its text",
    {
      type: "enum",
      name: "E",
      members: [{ name: "A", value: "1" }, { name: "B", value: 1 }],
    },
    1,
    1,
  ],
  ["union of arrays exactly first", union(arrayOf(NUMBER), arrayOf(STRING)), ["1"], ["1"]],
];

for (const [name, shape, value, wanted] of GOOD) {
  test(`convertArguments() takes ${name}`, () => {
    assert.deepEqual(convertOne(shape, value), wanted);
  });
  test(`convertArguments() converts its own answer to the same after JSON when given ${name}`, () => {
    const sig = signature(argument("x", shape));
    const stored = encodeJson(convertArguments(sig, [value]), { bytesMax: 10_000, what: "x" });
    assert.deepEqual(convertArguments(sig, JSON.parse(stored)), [wanted]);
  });
}

test("convertArguments() does not let a __proto__ member change a prototype", () => {
  const converted = convertOne(
    object({ "a?": NUMBER }),
    JSON.parse('{"__proto__":{"polluted":true}}'),
  );
  assert.equal((converted as { polluted?: boolean }).polluted, undefined);
  assert.ok(Object.hasOwn(converted as object, "__proto__"));
});

const throwing = new Proxy({}, {
  ownKeys() {
    throw new Error("no");
  },
});

const BAD: readonly [shape: TypeShape, value: unknown, problem: string, path?: string][] = [
  [NUMBER, "12abc", '"12abc" is not a number'],
  [NUMBER, "", '"" is not a number'],
  [NUMBER, " 1", '" 1" is not a number'],
  [NUMBER, "0x10", '"0x10" is not a number'],
  [NUMBER, "1_000", '"1_000" is not a number'],
  [NUMBER, "NaN", '"NaN" is not a number'],
  [NUMBER, "Infinity", '"Infinity" is not a number'],
  [NUMBER, "1e400", '"1e400" is out of the range of a number'],
  [NUMBER, "1e-400", '"1e-400" is too small for a number'],
  [NUMBER, "9007199254740993", '"9007199254740993" has more digits than a number holds'],
  [NUMBER, NaN, "NaN is not a finite number"],
  [NUMBER, Infinity, "Infinity is not a finite number"],
  [NUMBER, true, "true is not a number"],
  [NUMBER, null, "null is not a number"],
  [NUMBER, 9007199254740993n, "9007199254740993n has more digits than a number holds"],
  [NUMBER, 2n ** 2000n, "a huge integer is not a number"],
  [NUMBER, [1], "an array of 1 is not a number"],
  [NUMBER, {}, "an object is not a number"],
  [NUMBER, () => 1, "a function is not a number"],
  [STRING, NaN, "NaN is not a string"],
  [STRING, -Infinity, "-Infinity is not a string"],
  [STRING, 2n ** 100_000n, "a huge integer has too many digits"],
  [STRING, [1], "an array of 1 is not a string"],
  [STRING, null, "null is not a string"],
  [BOOLEAN, "yes", '"yes" is not true or false'],
  [BOOLEAN, "tRUE", '"tRUE" is not true or false'],
  [BOOLEAN, "on", '"on" is not true or false'],
  [BOOLEAN, "", '"" is not true or false'],
  [BOOLEAN, "01", '"01" is not true or false'],
  [BOOLEAN, 2, "2 is not true or false"],
  [BOOLEAN, -1, "-1 is not true or false"],
  [BOOLEAN, 2n, "2n is not true or false"],
  [BIGINT, "1.5", '"1.5" is not an integer'],
  [BIGINT, 1.5, "1.5 is not an integer"],
  [BIGINT, 2 ** 60, "1152921504606847000 is not an integer"],
  [DATE, "yesterday", '"yesterday" is not a date'],
  [DATE, "2026", '"2026" is not a date'],
  [DATE, "2026-02-30", '"2026-02-30" is not a date that exists'],
  [DATE, "2026-13-01", '"2026-13-01" is not a date that exists'],
  [DATE, "2026-01-01T25:00", '"2026-01-01T25:00" is not a date that exists'],
  [DATE, 1.5, "1.5 is not a whole number of epoch milliseconds"],
  [DATE, 8.64e15 + 1, "8640000000000001 is out of the range of a Date"],
  [DATE, new Date(NaN), "an invalid Date is not a date"],
  [DATE, true, "true is not a date"],
  [literal("a"), "b", '"b" is not "a"'],
  [literal(1), "2", '"2" is not 1'],
  [arrayOf(NUMBER), "1,2", '"1,2" is not an array'],
  [arrayOf(NUMBER), "[1,", '"[1," is not an array'],
  [arrayOf(NUMBER), { length: 0 }, "an object is not an array"],
  [arrayOf(NUMBER), [1, "b"], '"b" is not a number', "x[1]"],
  [tuple(NUMBER, STRING), [1], "an array of 1 has fewer elements than [number, string]"],
  [tuple(NUMBER), [1, 2], "an array of 2 has more elements than [number]"],
  [object({ a: NUMBER }), {}, 'member "a" is missing', "x.a"],
  [object({ a: NUMBER }), "{", '"{" is not an object'],
  [object({ a: NUMBER }), [], "an array of 0 is not an object"],
  [object({ a: NUMBER }), null, "null is not an object"],
  [object({ a: NUMBER }), throwing, "an object that throws while it is read cannot be an argument"],
  [object({ "b c": NUMBER }), { "b c": "z" }, '"z" is not a number', 'x["b c"]'],
  [
    ORDER,
    '{"id":1,"lines":[{"price":1},{"price":"x"}]}',
    '"x" is not a number',
    "x.lines[1].price",
  ],
  [record(NUMBER), { a: "b" }, '"b" is not a number', "x.a"],
  [union(NUMBER, NULL), "b", '"b" is not a number'],
  [union(literal("a"), literal("b")), "c", '"c" is not "a" | "b"'],
  [union(NUMBER, DATE), "b", '"b" is not number | Date'],
];

for (const [shape, value, problem, path = "x"] of BAD) {
  test(`convertArguments() refuses when ${problem} at ${path}`, () => {
    const error = errorOf(() => convertOne(shape, value));
    assert.equal(error.message, `Cannot convert argument "${path}" of job "job": ${problem}`);
    assert.equal(error.path, path);
    assert.match(error.hint ?? "", /Usage: job <x: /);
  });
}

test("convertArguments() shortens a long value in the message", () => {
  assert.ok(errorOf(() => convertOne(NUMBER, "a".repeat(1_000_000))).message.length < 200);
});

test("convertArguments() refuses too many and too few arguments when called by position", () => {
  const many = errorOf(() => convertArguments(sum, [1, 2, 3], { kind: "sum" }));
  assert.equal(many.message, 'Cannot call job "sum" with 3 arguments: it takes 2');
  assert.equal(many.hint, "Usage: sum <x: number> <y: number>");
  const few = errorOf(() => convertArguments(sum, [1], { kind: "sum" }));
  assert.equal(few.message, 'Cannot call job "sum": argument "y" is missing');
  assert.equal(few.path, "y");
  const none = errorOf(() => convertArguments(signature(), [1]));
  assert.equal(none.message, "Cannot call the job with 1 argument: it takes none");
  assert.equal(
    none.hint,
    "A command takes those that its table declares as params. Usage: JOB",
  );
});

test("convertArguments() takes arguments by name in any order", () => {
  assert.deepEqual(convertArguments(sum, { y: "2", x: 1 }), [1, 2]);
});

test("convertArguments() names the nearest when a name is unknown", () => {
  const days = signature(argument("day", DATE), argument("region", STRING, optional));
  const error = errorOf(() => convertArguments(days, { day: 0, regoin: "eu" }, { kind: "report" }));
  assert.equal(
    error.message,
    'Cannot pass argument "regoin" to job "report": it has no such argument',
  );
  assert.equal(error.hint, 'Did you mean "region"? Usage: report <day: Date> [region: string]');
  assert.equal(error.path, "regoin");
});

test("convertArguments() refuses a name of an injected parameter", () => {
  errorOf(() => convertArguments(signature(injected("Context")), { context: 1 }));
});

test("convertArguments() refuses what is neither an array nor an object", () => {
  for (const args of [null, "x", 5]) {
    errorOf(() => convertArguments(sum, args as unknown as unknown[]));
  }
  errorOf(() => convertArguments(sum, throwing));
});

test("convertArguments() leaves the default to the function when an argument is omitted", () => {
  const job = signature(argument("x", NUMBER, optional), argument("y", NUMBER, optional));
  assert.deepEqual(convertArguments(job, []), []);
  assert.deepEqual(convertArguments(job, { y: "2" }), [undefined, 2]);
  assert.deepEqual(convertArguments(job, [null, 2]), [undefined, 2]);
  const nullable = signature(argument("x", union(NUMBER, NULL), optional));
  assert.deepEqual(convertArguments(nullable, [null]), [null]);
});

test("convertArguments() fills in a literal default where the stored null would be an argument", () => {
  const withDefault = (defaultText: string) =>
    signature(
      argument("x", union(NUMBER, NULL), { isOptional: true, defaultText }),
      argument("y", NUMBER, optional),
    );
  assert.deepEqual(convertArguments(withDefault("5"), { y: 2 }), [5, 2]);
  assert.deepEqual(convertArguments(withDefault("5"), [null, 2]), [null, 2]);
  assert.deepEqual(convertArguments(withDefault("null"), { y: 2 }), [null, 2]);
  assert.deepEqual(convertArguments(withDefault("5"), []), []);
  const text = signature(
    argument("x", UNKNOWN, { isOptional: true, defaultText: "'eu'" }),
    argument("y", NUMBER, optional),
  );
  assert.deepEqual(convertArguments(text, { y: 2 }), ["eu", 2]);
  const error = errorOf(() => convertArguments(withDefault("compute()"), { y: 2 }));
  assert.equal(error.path, "x");
  assert.match(error.hint!, /known only when the job runs/);
});

test("convertArguments() refuses null for a required argument", () => {
  errorOf(() => convertArguments(sum, [null, 1]));
});

test("convertArguments() refuses undefined for a required argument of unknown type", () => {
  errorOf(() => convertArguments(signature(argument("x", UNKNOWN)), [undefined]));
});

test("convertArguments() converts each rest argument", () => {
  const job = signature(argument("x", STRING), argument("ns", arrayOf(NUMBER), { isRest: true }));
  assert.deepEqual(convertArguments(job, ["a", "1", 2]), ["a", 1, 2]);
  assert.deepEqual(convertArguments(job, ["a"]), ["a"]);
  assert.deepEqual(convertArguments(job, { x: "a", ns: "[1,2]" }), ["a", 1, 2]);
  assert.equal(errorOf(() => convertArguments(job, ["a", 1, "b"])).path, "ns[1]");
  errorOf(() => convertArguments(job, { x: "a", ns: 5 }));
});

test("convertArguments() passes everything as given when the signature is untyped", () => {
  const untyped: Signature = { parameters: [], resultCount: null, isTyped: false, warnings: [] };
  assert.deepEqual(convertArguments(untyped, ["1", 2, null]), ["1", 2, null]);
  errorOf(() => convertArguments(untyped, { a: 1 }));
  const named = { ...untyped, parameters: [argument("a", UNKNOWN), argument("b", UNKNOWN)] };
  assert.deepEqual(convertArguments(named, { b: 2 }), [undefined, 2]);
});

test("convertArguments() drops a placeholder where an injected parameter stands", () => {
  const job = signature(
    argument("x", STRING),
    injected("Context"),
    argument("y", STRING, optional),
  );
  assert.deepEqual(convertArguments(job, ["a", "?", "b"]), ["a", "b"]);
  assert.deepEqual(convertArguments(job, ["a", "b"]), ["a", "b"]);
  assert.deepEqual(convertArguments(job, ["?", "?", "?"]), ["?", "?", "?"]);
  const last = signature(argument("x", STRING), injected("Manager"));
  assert.deepEqual(convertArguments(last, ["a", "?"]), ["a"]);
  errorOf(() => convertArguments(sum, [1, "?"]));
});

test("convertArguments() keeps a question mark when it is the argument", () => {
  const job = signature(
    injected("Context"),
    argument("x", STRING),
    argument("y", STRING, optional),
  );
  const anything = { Context: 0, Instance: 0, Manager: 0, Worker: 0, AbortSignal: 0 };
  const calls: { x: string; y?: string }[] = [{ x: "?" }, { x: "?", y: "a" }, { x: "?", y: "?" }, {
    x: "a",
    y: "?",
  }];
  for (const args of calls) {
    const converted = convertArguments(job, args);
    assert.deepEqual(convertArguments(job, converted), converted);
    assert.deepEqual(bindArguments(job, converted, anything), [0, args.x, args.y]);
  }
});

test("bindArguments() puts injected values where they stand", () => {
  const job = signature(
    injected("Context"),
    argument("x", NUMBER),
    argument("y", NUMBER, optional),
    injected("AbortSignal"),
    argument("rest", arrayOf(NUMBER), { isRest: true }),
  );
  const values = { Context: "c", Instance: "i", Manager: "m", Worker: "w", AbortSignal: "s" };
  assert.deepEqual(bindArguments(job, [1], values), ["c", 1, undefined, "s"]);
  assert.deepEqual(bindArguments(job, [1, 2, 3, 4], values), ["c", 1, 2, "s", 3, 4]);
});

test("bindArguments() passes all arguments when the signature is untyped", () => {
  const untyped: Signature = { parameters: [], resultCount: null, isTyped: false, warnings: [] };
  const values = { Context: 0, Instance: 0, Manager: 0, Worker: 0, AbortSignal: 0 };
  assert.deepEqual(bindArguments(untyped, [1, "?"], values), [1, "?"]);
});

const USAGES: readonly [parameters: ParameterShape[], wanted: string][] = [
  [[], "k"],
  [[argument("x", NUMBER), argument("note", STRING, optional)], "k <x: number> [note: string]"],
  [[injected("Context"), argument("x", DATE)], "k <x: Date>"],
  [[argument("x", NUMBER, { isOptional: true, defaultText: "5" })], "k [x: number = 5]"],
  [[argument("names", arrayOf(STRING), { isRest: true })], "k [...names: string]"],
  [[argument("o", ORDER)], "k <o: Order>"],
  [[argument("o", object({ a: NUMBER, "b?": STRING }))], "k <o: { a: number; b?: string }>"],
  [[argument("u", arrayOf(union(literal("a"), NULL)))], 'k <u: ("a" | null)[]>'],
  [[argument("t", tuple(NUMBER, record(STRING)))], "k <t: [number, Record<string, string>]>"],
];

for (const [parameters, wanted] of USAGES) {
  test(`describeSignature() says ${wanted}`, () => {
    assert.equal(describeSignature("k", signature(...parameters)), wanted);
  });
}

test("describeSignature() says that anything goes when nothing is known", () => {
  const untyped: Signature = { parameters: [], resultCount: null, isTyped: false, warnings: [] };
  assert.equal(describeSignature("k", untyped), "k [...arguments]");
});

const { shape: anyShape } = fc.letrec<{ shape: TypeShape; leaf: TypeShape }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(NUMBER, STRING, BOOLEAN, BIGINT, DATE, NULL, UNDEFINED),
    fc.oneof(fc.constantFrom("a", "1", "true"), fc.constantFrom(1, 0.5), fc.boolean()).map(literal),
  ),
  shape: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    tie("leaf"),
    tie("shape").map(arrayOf),
    fc.array(tie("shape"), { maxLength: 3 }).map((all) => tuple(...all)),
    fc.array(tie("shape"), { minLength: 2, maxLength: 3 }).map((all) =>
      union(...all.flatMap((one) => one.type === "union" ? one.members : [one]))
    ),
    tie("shape").map(record),
    fc.dictionary(fc.constantFrom("a", "b?", "__proto__", "c"), tie("shape")).map((all) =>
      object(all)
    ),
  ),
}));

const anyLeaf = fc.oneof(
  fc.constantFrom<unknown>(
    "1",
    "0",
    "T",
    "true",
    "null",
    "a",
    "2026-01-01T00:00:00.000Z",
    "1152921504606846976",
    "[]",
    "{}",
  ),
  fc.constantFrom<unknown>(0, 1, 0.5, 1n, 2n ** 60n, null, true, new Date(0), NaN, undefined),
);
const anyValue = fc.oneof(
  anyLeaf,
  fc.array(anyLeaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "b", "c"), anyLeaf),
  fc.array(fc.dictionary(fc.constantFrom("a", "b"), anyLeaf), { maxLength: 2 }),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
);

test("convertArguments() gives a fixed point of the trip through JSON, or a JobError", () => {
  let converted = 0;
  fc.assert(
    fc.property(anyShape, anyValue, (shape, value) => {
      const job = signature(argument("x", shape));
      let first: unknown[];
      try {
        first = convertArguments(job, [value]);
      } catch (error) {
        assert.ok(error instanceof JobError, String(error));
        return;
      }
      // Undefined is null in JSON, and a type that takes both cannot tell them apart.
      if (first[0] === undefined) return;
      converted++;
      const stored = encodeJson(first, { bytesMax: 1_000_000, what: "x" });
      const second = convertArguments(job, JSON.parse(stored));
      assert.equal(encodeJson(second, { bytesMax: 1_000_000, what: "x" }), stored);
      // Members that a type does not name pass as they are, so JSON may change them once.
      if (!JSON.stringify(shape).includes('"object"')) assert.deepEqual(second, first);
      assert.deepEqual(convertArguments(job, JSON.parse(stored)), second);
    }),
    { numRuns: 1_500, seed: 7 },
  );
  assert.ok(converted > 75, `${converted} were converted`);
});
