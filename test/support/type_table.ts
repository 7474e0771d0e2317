/** A value that is given for a parameter, and what the function must get. */
export type Good = readonly [given: unknown, wanted: unknown];
/** A value that must be refused, and a part of the message. */
export type Bad = readonly [given: unknown, problem: string];

/**
 * One type as TypeScript source, with values that it takes and that it refuses: JSON values, JSON
 * text and plain text.
 */
export interface TypeRow {
  readonly type: string;
  readonly declarations?: string;
  /** How the type is shown; the type's own text by default. */
  readonly shown?: string;
  readonly good: readonly Good[];
  readonly bad: readonly Bad[];
}

const map = (...entries: [unknown, unknown][]) => new Map(entries);
const set = (...values: unknown[]) => new Set(values);
const bytes = (...values: number[]) => new Uint8Array(values);
const date = (text: string) => new Date(text);
const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');

const SHAPES = `
  type Circle = { kind: "circle"; r: number };
  type Square = { kind: "square"; side: number };
  type Shape = Circle | Square;
`;
const TREE = "interface Tree { value: number; children?: Tree[] }";
const JSON_TYPE =
  "type Json = string | number | boolean | null | Json[] | { [name: string]: Json };";
const ORDER = "interface Order { id: number; note?: string }";
const COLORS = 'const COLORS = { red: "#f00", green: "#0f0" } as const;';

/** Types without parts. */
export const SIMPLE_TYPES: readonly TypeRow[] = [
  {
    type: "number",
    good: [[1.5, 1.5], ["42", 42], ["-1e3", -1000], [0, 0]],
    bad: [
      ["12abc", '"12abc" is not a number'],
      [null, "null is not a number"],
      [true, "true is not a number"],
      ["NaN", "is not a number"],
      [NaN, "NaN is not a finite number"],
      ["", '"" is not a number'],
      ["9007199254740993", "more digits than a number holds"],
      ["9007199254740993.0", "more digits than a number holds"],
      ["1e999", "out of the range"],
      [[1], "an array of 1 is not a number"],
    ],
  },
  {
    type: "Int",
    good: [[3, 3], ["42", 42], ["-7", -7], ["1e3", 1000], [9007199254740991, 9007199254740991]],
    bad: [
      [1.5, "1.5 is not a whole number"],
      ["1.5", '"1.5" is not a whole number'],
      [2 ** 53, "out of the range"],
      ["1e20", "out of the range"],
      ["x", '"x" is not a number'],
      [null, "null is not a whole number"],
    ],
  },
  {
    type: "Duration",
    good: [["1h30m", 5_400_000], ["90s", 90_000], [250, 250], ["0", 0]],
    bad: [
      ["5000", '"5000" is not a duration'],
      [-1, "-1 is not a whole number of milliseconds"],
      [1.5, "1.5 is not a whole number of milliseconds"],
      ["soon", '"soon" is not a duration'],
      [null, "null is not a duration"],
    ],
  },
  {
    type: "string",
    good: [["a", "a"], ["", ""], ["42", "42"], ["null", "null"], ['{"a":1}', '{"a":1}'], [
      42,
      "42",
    ]],
    bad: [[null, "null is not a string"], [{}, "an object is not"], [bytes(1), "1 bytes is not"]],
  },
  {
    type: "boolean",
    good: [[true, true], ["true", true], ["false", false], [1, true], ["F", false]],
    bad: [["yes", '"yes" is not true or false'], [2, "2 is not"], [null, "null is not"]],
  },
  {
    type: "bigint",
    good: [
      [5, 5n],
      ["123456789012345678901", 123456789012345678901n],
      [2n ** 60n, 2n ** 60n],
      ["-1", -1n],
    ],
    bad: [
      ["1e20", '"1e20" is not an integer'],
      [1e20, "100000000000000000000 is not an integer"],
      [1.5, "1.5 is not an integer"],
      ["1n", '"1n" is not an integer'],
    ],
  },
  {
    type: "Date",
    good: [
      ["2026-01-31", date("2026-01-31T00:00:00Z")],
      ["2026-01-31T06:00:00+01:00", date("2026-01-31T05:00:00Z")],
      [1767225600000, date("2026-01-01T00:00:00Z")],
    ],
    bad: [["2026-02-30", "is not a date that exists"], ["soon", "is not a date"], [
      true,
      "true is",
    ]],
  },
  {
    type: "URL",
    good: [
      ["https://example.com/a?b=c", new URL("https://example.com/a?b=c")],
      ["HTTPS://Example.com", new URL("https://example.com/")],
    ],
    bad: [
      ["example.com", '"example.com" is not a URL'],
      [" https://a.b", "is not a URL"],
      [5, "5 is not a URL"],
    ],
  },
  {
    type: "Uint8Array",
    good: [
      ["AQL/", bytes(1, 2, 255)],
      ["AQ", bytes(1)],
      ["-_8", bytes(251, 255)],
      ["", bytes()],
      [[0, 255], bytes(0, 255)],
      [bytes(7), bytes(7)],
    ],
    bad: [
      ["AQL", "is not base64"],
      ["A*==", "is not base64"],
      ["A", "is not base64"],
      [[256], "is not bytes"],
      [5, "5 is not bytes"],
    ],
  },
  { type: "null", good: [[null, null], ["null", null]], bad: [["x", '"x" is not null']] },
  {
    type: "unknown",
    good: [["42", "42"], [{ a: [1, null] }, { a: [1, null] }], [null, null]],
    bad: [],
  },
  { type: "any", shown: "unknown", good: [["x", "x"]], bad: [] },
  {
    type: "object",
    shown: "Record<string, unknown>",
    good: [['{"a":1}', { a: 1 }], [hostile, hostile]],
    bad: [[[1], "an array of 1 is not an object"], [null, "null is not an object"]],
  },
  { type: '"a"', good: [["a", "a"]], bad: [["b", '"b" is not "a"']] },
  { type: "5", good: [[5, 5], ["5", 5]], bad: [[6, "6 is not 5"], ["five", "is not 5"]] },
  { type: "true", good: [[true, true], ["true", true]], bad: [[false, "false is not true"]] },
  {
    type: "UserId",
    declarations: "type UserId = string & { readonly __brand: unique symbol };",
    shown: "string",
    good: [["u1", "u1"], [5, "5"]],
    bad: [[{}, "an object is not a string"]],
  },
];

/** Unions, enums and constants. */
export const CHOICE_TYPES: readonly TypeRow[] = [
  {
    type: '"eu" | "us"',
    good: [["eu", "eu"]],
    bad: [["uk", '"uk" is not "eu" | "us"'], [null, "null is not"]],
  },
  {
    type: "number | null",
    good: [["42", 42], [null, null], ["null", null]],
    bad: [["x", '"x" is not a number']],
  },
  {
    type: "string | number",
    good: [["42", "42"], [42, 42], [true, "true"]],
    bad: [[{}, "an object is not string | number"]],
  },
  {
    type: "string | Date",
    good: [
      ["2026-01-01T00:00:00.000Z", date("2026-01-01T00:00:00Z")],
      ["2026-01-01", "2026-01-01"],
    ],
    bad: [[{}, "an object is not string | Date"]],
  },
  {
    type: "string | URL",
    good: [["https://a.b/", "https://a.b/"], [5, "5"]],
    bad: [[null, "null is not"]],
  },
  {
    type: "number[] | Set<number>",
    good: [[[1], [1]], [set(1), [1]]],
    bad: [["x", '"x" is not number[] | Set<number>']],
  },
  {
    type: "Shape",
    declarations: SHAPES,
    shown: "Circle | Square",
    good: [
      [{ kind: "circle", r: "2" }, { kind: "circle", r: 2 }],
      ['{"kind":"square","side":1}', { kind: "square", side: 1 }],
    ],
    bad: [
      [{ kind: "circle", r: "x" }, 'argument "x.r" of job "job": "x" is not a number'],
      [{ kind: "square" }, 'argument "x.side" of job "job": member "side" is missing'],
      [{ kind: "cube" }, 'argument "x.kind" of job "job": "cube" is not "circle" | "square"'],
      [{ r: 1 }, 'argument "x.kind" of job "job": member "kind" is missing'],
      ['{"kind":"circle","r":"x"}', 'argument "x.r"'],
      [5, "5 is not Circle | Square"],
    ],
  },
  {
    type: "Shape[]",
    declarations: SHAPES,
    shown: "(Circle | Square)[]",
    good: [[[{ kind: "circle", r: 1 }], [{ kind: "circle", r: 1 }]]],
    bad: [[[{ kind: "circle", r: 1 }, { kind: "square", side: "s" }], 'argument "x[1].side"']],
  },
  {
    type: "Event",
    declarations: "type Event = { v: 1; a: string } | { v: 2; b: number } | null;",
    shown: "{ v: 1; a: string } | { v: 2; b: number } | null",
    good: [[{ v: "2", b: 1 }, { v: 2, b: 1 }], [null, null]],
    bad: [[{ v: 2, b: "x" }, 'argument "x.b"'], [{ v: 3 }, "3 is not 1 | 2"]],
  },
  {
    type: "Level",
    declarations: "enum Level { Low, High = 5, Top }",
    good: [[0, 0], ["5", 5], ["High", 5], ["Top", 6]],
    bad: [[1, "1 is not a member of Level"], ["Middle", '"Middle" is not a member of Level']],
  },
  {
    type: "Color",
    declarations: 'enum Color { Red = "r", Green = "g" }',
    good: [["r", "r"], ["Green", "g"]],
    bad: [["b", '"b" is not a member of Color'], [0, "0 is not a member"]],
  },
  {
    type: "Flag",
    declarations: "const enum Flag { A = 1 << 0, B = 1 << 1, AB = A | B, Far = Flag.B * 8 }",
    good: [[3, 3], ["AB", 3], ["16", 16]],
    bad: [[4, "4 is not a member of Flag"]],
  },
  {
    type: "Color.Red",
    declarations: 'enum Color { Red = "r", Green = "g" }',
    shown: '"r"',
    good: [["r", "r"]],
    bad: [["g", '"g" is not "r"']],
  },
  {
    type: "keyof typeof COLORS",
    declarations: COLORS,
    shown: '"red" | "green"',
    good: [["red", "red"]],
    bad: [["#f00", '"#f00" is not "red" | "green"']],
  },
  {
    type: "typeof COLORS[keyof typeof COLORS]",
    declarations: COLORS,
    shown: '"#f00" | "#0f0"',
    good: [["#0f0", "#0f0"]],
    bad: [["red", '"red" is not']],
  },
  {
    type: "(typeof SIZES)[number]",
    declarations: "const SIZES = [1, 2, 3] as const;",
    shown: "1 | 2 | 3",
    good: [["2", 2]],
    bad: [[4, "4 is not 1 | 2 | 3"]],
  },
  {
    type: "keyof typeof Level",
    declarations: "enum Level { Low, High }",
    shown: '"Low" | "High"',
    good: [["Low", "Low"]],
    bad: [["0", '"0" is not']],
  },
  {
    type: "Exclude<'a' | 'b' | 'c', 'a'>",
    shown: '"b" | "c"',
    good: [["b", "b"]],
    bad: [["a", '"a" is not']],
  },
  {
    type: "Extract<string | number | Date, number | Date>",
    shown: "number | Date",
    good: [[5, 5], ["2026-01-01", date("2026-01-01")]],
    bad: [["x", '"x" is not number | Date']],
  },
  { type: "NonNullable<number | null>", shown: "number", good: [["1", 1]], bad: [[null, "null"]] },
];

/** Lists. */
export const LIST_TYPES: readonly TypeRow[] = [
  {
    type: "number[]",
    good: [[[1, "2"], [1, 2]], ["[1,2]", [1, 2]], [" [] ", []]],
    bad: [
      ["1,2", '"1,2" is not an array'],
      [[1, null], 'argument "x[1]" of job "job": null is not a number'],
      ["[1", '"[1" is not an array'],
      [{ length: 0 }, "an object is not an array"],
      ["[9007199254740993]", "9007199254740993n has more digits than a number holds"],
    ],
  },
  {
    type: "readonly string[]",
    shown: "string[]",
    good: [['["a"]', ["a"]]],
    bad: [["a", "is not an array"]],
  },
  {
    type: "Array<boolean>",
    shown: "boolean[]",
    good: [[[true], [true]], [[1], [true]]],
    bad: [[[2], "x[0]"]],
  },
  {
    type: "ReadonlyArray<Date>",
    shown: "Date[]",
    good: [[["2026-01-01"], [date("2026-01-01")]]],
    bad: [[["x"], "x[0]"]],
  },
  {
    type: "bigint[]",
    good: [["[9007199254740993]", [9007199254740993n]]],
    bad: [["[1.5]", "x[0]"]],
  },
  {
    type: "[number, string]",
    good: [[["1", "a"], [1, "a"]], ['[1,"a"]', [1, "a"]]],
    bad: [
      [[1], "an array of 1 has fewer elements than [number, string]"],
      [[1, "a", 2], "an array of 3 has more elements than [number, string]"],
    ],
  },
  {
    type: "[day: Date, days?: Int]",
    good: [
      [["2026-01-01"], [date("2026-01-01")]],
      [["2026-01-01", "3"], [date("2026-01-01"), 3]],
    ],
    bad: [[[], "has fewer elements than [day: Date, days?: Int]"], [["2026-01-01", 1.5], "x[1]"]],
  },
  {
    type: "[string, ...number[]]",
    good: [[["a"], ["a"]], [["a", 1, "2"], ["a", 1, 2]]],
    bad: [[[], "has fewer elements"], [["a", "b"], 'argument "x[1]"']],
  },
  {
    type: "[...string[], number]",
    good: [[["a", "b", "3"], ["a", "b", 3]], [[1], [1]]],
    bad: [[["a"], 'argument "x[0]"'], [[], "has fewer elements"]],
  },
  { type: "[]", good: [[[], []]], bad: [[[1], "has more elements than []"]] },
  {
    type: "Set<number>",
    good: [[["1", 2], set(1, 2)], ["[1,1]", set(1)], [set(3), set(3)]],
    bad: [["1", '"1" is not an array'], [["x"], 'argument "x[0]"']],
  },
  {
    type: "ReadonlySet<Date>",
    shown: "Set<Date>",
    good: [[["2026-01-01"], set(date("2026-01-01"))]],
    bad: [[{}, "an object is not an array"]],
  },
  { type: "number[][]", good: [["[[1],[2,3]]", [[1], [2, 3]]]], bad: [[[[1], ["x"]], "x[1][0]"]] },
];

/** Types with members. */
export const MEMBER_TYPES: readonly TypeRow[] = [
  {
    type: "{ a: number; b?: string }",
    good: [
      [{ a: "1" }, { a: 1 }],
      ['{"a":1,"b":"x"}', { a: 1, b: "x" }],
      [{ a: 1, more: [1] }, { a: 1, more: [1] }],
    ],
    bad: [
      [{}, 'argument "x.a" of job "job": member "a" is missing'],
      [{ a: 1, b: null }, 'argument "x.b" of job "job": null is not a string'],
      ["{", '"{" is not an object'],
      [[], "an array of 0 is not an object"],
    ],
  },
  {
    type: "{ readonly 'a-b': { c: Int } }",
    shown: '{ "a-b": { c: Int } }',
    good: [[{ "a-b": { c: 1 } }, { "a-b": { c: 1 } }]],
    bad: [[{ "a-b": { c: 1.5 } }, 'argument "x["a-b"].c"']],
  },
  { type: "Order", declarations: ORDER, good: [[{ id: "1" }, { id: 1 }]], bad: [[{}, '"x.id"']] },
  {
    type: "Big",
    declarations:
      `${ORDER} interface Big extends Order { size: Int } interface Big { extra: boolean }`,
    good: [[{ id: 1, size: 2, extra: "true" }, { id: 1, size: 2, extra: true }]],
    bad: [[{ id: 1, size: 2 }, '"x.extra"'], [{ size: 1, extra: true }, '"x.id"']],
  },
  {
    type: "{ a: number } & { b: string }",
    shown: "{ a: number; b: string }",
    good: [[{ a: 1, b: "x" }, { a: 1, b: "x" }]],
    bad: [[{ a: 1 }, '"x.b"']],
  },
  {
    type: "Shape & { id: Int }",
    declarations: SHAPES,
    shown: '{ kind: "circle"; r: number; id: Int } | { kind: "square"; side: number; id: Int }',
    good: [[{ kind: "circle", r: 1, id: 2 }, { kind: "circle", r: 1, id: 2 }]],
    bad: [[{ kind: "square", side: 1 }, '"x.id"']],
  },
  {
    type: "Record<string, number>",
    good: [[{ a: "1" }, { a: 1 }], ['{"__proto__":1}', JSON.parse('{"__proto__":1}')]],
    bad: [[{ a: "x" }, 'argument "x.a"'], [[], "is not an object"]],
  },
  {
    type: "Record<number, string>",
    good: [[{ 1: "a" }, { 1: "a" }]],
    bad: [[{ one: "a" }, 'argument "x.one" of job "job": name "one" is not a number']],
  },
  {
    type: "Record<'a' | 'b', Int>",
    shown: "{ a: Int; b: Int }",
    good: [[{ a: 1, b: "2" }, { a: 1, b: 2 }]],
    bad: [[{ a: 1 }, '"x.b"']],
  },
  {
    type: "{ [name: string]: Int }",
    shown: "Record<string, Int>",
    good: [[{ a: 1 }, { a: 1 }]],
    bad: [[{ a: 1.5 }, '"x.a"']],
  },
  {
    type: "{ id: string; [name: string]: string | number }",
    shown: "{ id: string; [name: string]: string | number }",
    good: [[{ id: "x", n: 1 }, { id: "x", n: 1 }]],
    bad: [[{ id: "x", n: null }, '"x.n"'], [{}, '"x.id"']],
  },
  {
    type: "Partial<Order>",
    declarations: ORDER,
    shown: "{ id?: number; note?: string }",
    good: [[{}, {}], [{ id: "1" }, { id: 1 }]],
    bad: [[{ id: "x" }, '"x.id"']],
  },
  {
    type: "Required<Order>",
    declarations: ORDER,
    shown: "{ id: number; note: string }",
    good: [[{ id: 1, note: "" }, { id: 1, note: "" }]],
    bad: [[{ id: 1 }, '"x.note"']],
  },
  {
    type: "Readonly<Order>",
    declarations: ORDER,
    shown: "Order",
    good: [[{ id: 1 }, { id: 1 }]],
    bad: [[1, "1 is"]],
  },
  {
    type: "Pick<Order, 'id'>",
    declarations: ORDER,
    shown: "{ id: number }",
    good: [[{ id: 1 }, { id: 1 }]],
    bad: [[{}, '"x.id"']],
  },
  {
    type: "Omit<Order, 'id'>",
    declarations: ORDER,
    shown: "{ note?: string }",
    good: [[{ note: "a" }, { note: "a" }]],
    bad: [[{ note: null }, '"x.note"']],
  },
  {
    type: "{ [K in 'a' | 'b']?: number }",
    shown: "{ a?: number; b?: number }",
    good: [[{ b: "1" }, { b: 1 }]],
    bad: [[{ a: "x" }, '"x.a"']],
  },
  {
    type: "Copy<Order>",
    declarations: `${ORDER} type Copy<T> = { readonly [K in keyof T]: T[K] };`,
    shown: "{ id: number; note?: string }",
    good: [[{ id: 1 }, { id: 1 }]],
    bad: [[{}, '"x.id"']],
  },
  {
    type: "Deep<{ a: { b: Date; c: { d: number }[] } }>",
    declarations: "type Deep<T> = { [K in keyof T]?: Deep<T[K]> };",
    shown: "{ a?: { b?: Date; c?: { d?: number }[] } }",
    good: [[{ a: { c: [{}, { d: "1" }] } }, { a: { c: [{}, { d: 1 }] } }]],
    bad: [[{ a: { c: [{ d: "x" }] } }, '"x.a.c[0].d"']],
  },
  {
    type: "Order['id']",
    declarations: ORDER,
    shown: "number",
    good: [["1", 1]],
    bad: [["x", '"x" is not a number']],
  },
  {
    type: "keyof Order",
    declarations: ORDER,
    shown: '"id" | "note"',
    good: [["id", "id"]],
    bad: [["no", '"no" is not']],
  },
  {
    type: "Box<Date>",
    declarations: "interface Box<T> { value: T; all?: T[] }",
    shown: "{ value: Date; all?: Date[] }",
    good: [[{ value: "2026-01-01" }, { value: date("2026-01-01") }]],
    bad: [[{ value: 1.5 }, '"x.value"']],
  },
  {
    type: "Map<string, number>",
    good: [
      [{ a: "1" }, map(["a", 1])],
      ['[["a",1]]', map(["a", 1])],
      [map(["b", 1], ["1", 2]), map(["b", 1], ["1", 2])],
      [{}, map()],
      [hostileMap(), map(["__proto__", 1])],
    ],
    bad: [
      [{ a: "x" }, 'argument "x.a"'],
      [[["a", 1], ["a", 2]], 'key "a" occurs twice'],
      [[["a"]], "it is not a pair of a key and a value"],
      ["x", '"x" is not an object or pairs'],
    ],
  },
  {
    type: "Map<Int, Date>",
    good: [
      [{ 1: "2026-01-01" }, map([1, date("2026-01-01")])],
      [[["2", 0]], map([2, date("1970-01-01")])],
    ],
    bad: [
      [{ a: 0 }, 'argument "x.a" of job "job": key "a" is not a number'],
      [[[1.5, 0]], 'argument "x[0][0]"'],
      [{ 1: 0, "01": 0 }, 'key "01" occurs twice'],
    ],
  },
  {
    type: "ReadonlyMap<string, Set<bigint>>",
    shown: "Map<string, Set<bigint>>",
    good: [[{ a: ["1"] }, map(["a", set(1n)])]],
    bad: [[{ a: 1 }, '"x.a"']],
  },
  {
    type: "Tree",
    declarations: TREE,
    good: [[
      '{"value":"1","children":[{"value":2,"children":[]}]}',
      { value: 1, children: [{ value: 2, children: [] }] },
    ]],
    bad: [[
      { value: 1, children: [{ value: 2, children: [{ value: "x" }] }] },
      'argument "x.children[0].children[0].value"',
    ]],
  },
  {
    type: "Json",
    declarations: JSON_TYPE,
    good: [["a", "a"], [[1, { a: [null, true] }], [1, { a: [null, true] }]]],
    bad: [],
  },
  {
    type: "List<string>",
    declarations: "type List<T> = { head: T; tail: List<T> | null };",
    good: [[{ head: "a", tail: { head: "b", tail: null } }, {
      head: "a",
      tail: { head: "b", tail: null },
    }]],
    bad: [[{ head: "a", tail: { head: "b" } }, 'argument "x.tail.tail"']],
  },
  {
    type: "Node",
    declarations: "interface Node { id: Int; parts?: Partial<Node>[]; next?: Pick<Node, 'id'> }",
    good: [[{ id: 1, parts: [{ parts: [{ id: "2" }] }] }, {
      id: 1,
      parts: [{ parts: [{ id: 2 }] }],
    }]],
    bad: [
      [{ id: 1, parts: [{ parts: [{ id: 1.5 }] }] }, '"x.parts[0].parts[0].id"'],
      [{ id: 1, next: {} }, '"x.next.id"'],
    ],
  },
  {
    type: "A",
    declarations: "interface A { b?: B } interface B { a?: A; n: Int }",
    good: [[{ b: { n: 1, a: { b: { n: 2 } } } }, { b: { n: 1, a: { b: { n: 2 } } } }]],
    bad: [[{ b: { n: 1, a: { b: {} } } }, 'argument "x.b.a.b.n"']],
  },
];

function hostileMap(): unknown {
  return JSON.parse('{"__proto__":1}');
}

/** All rows. */
export const TYPE_TABLE: readonly TypeRow[] = [
  ...SIMPLE_TYPES,
  ...CHOICE_TYPES,
  ...LIST_TYPES,
  ...MEMBER_TYPES,
];

/** A module whose default export takes one parameter `x` of the type. */
export function sourceOf(row: TypeRow): string {
  return [
    'import type { Duration, Int } from "ts-job";',
    row.declarations ?? "",
    `export default function job(x: ${row.type}): ${row.type} { return x; }`,
  ].join("\n");
}
