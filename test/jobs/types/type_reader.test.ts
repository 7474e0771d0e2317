import assert from "node:assert/strict";
import { test } from "node:test";
import { describeType } from "../../../src/core/arguments/describe.ts";
import type { Signature, TypeShape } from "../../../src/core/arguments/signature.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";

/** The signature of a function with one parameter of a type. */
function signatureOf(type: string, declarations = ""): Signature {
  return readSignature(`${declarations}\nexport default (x: ${type}) => {};`);
}

function messagesOf({ warnings }: Signature): string {
  return warnings.map(({ message, line }) => `${line}: ${message}`).join("\n");
}

function shapeOf(signature: Signature): TypeShape {
  const [parameter] = signature.parameters;
  assert.ok(parameter?.role === "argument");
  return parameter.shape;
}

const TYPES: readonly [type: string, wanted: string, declarations?: string][] = [
  ["number", "number"],
  ["string", "string"],
  ["boolean", "boolean"],
  ["bigint", "bigint"],
  ["Date", "Date"],
  ["null", "null"],
  ["undefined", "undefined"],
  ["void", "undefined"],
  ["any", "unknown"],
  ["unknown", "unknown"],
  ["object", "Record<string, unknown>"],
  ["(number)", "number"],
  ["'a'", '"a"'],
  ["`a`", '"a"'],
  ["-1", "-1"],
  ["true", "true"],
  ["'a' | 'b' | 3", '"a" | "b" | 3'],
  ["number | null", "number | null"],
  ["number | any", "unknown"],
  ["number[]", "number[]"],
  ["readonly number[]", "number[]"],
  ["Array<number>", "number[]"],
  ["ReadonlyArray<number | string>", "(number | string)[]"],
  ["number[][]", "number[][]"],
  ["[number, string]", "[number, string]"],
  ["readonly [a: number, b: string]", "[a: number, b: string]"],
  ["[number, string?]", "[number, string?]"],
  ["[a: number, b?: string]", "[a: number, b?: string]"],
  ["{ a: number; b?: string }", "{ a: number; b?: string }"],
  ["{ readonly 'a-b': number }", '{ "a-b": number }'],
  ["{}", "{}"],
  ["{ [key: string]: number }", "Record<string, number>"],
  ["{ a: number; [key: string]: unknown }", "{ a: number; [name: string]: unknown }"],
  ["Record<string, number>", "Record<string, number>"],
  ["Record<'a' | 'b', number>", "{ a: number; b: number }"],
  ["Order", "Order", "interface Order { id: number }"],
  ["Order", "Order", "export interface Order { id: number }"],
  ["Order", "Order", "type Order = { id: number };"],
  ["Id", "string | number", "type Id = string | number;"],
  ["Box<number>", "{ value: number }", "interface Box<T> { value: T }"],
  ["Box<Box<number>>", "{ value: { value: number } }", "type Box<T> = { value: T };"],
  ["Box", "Box", "type Box<T = string> = { value: T };"],
  ["Partial<{ a: number }>", "{ a?: number }"],
  ["Required<{ a?: number }>", "{ a: number }"],
  ["Readonly<{ a: number }>", "{ a: number }"],
  ["Pick<{ a: number; b: string }, 'a'>", "{ a: number }"],
  ["Omit<{ a: number; b: string }, 'a'>", "{ b: string }"],
  ["NonNullable<number | null>", "number"],
  ["{ a: number } & { b: string }", "{ a: number; b: string }"],
  ["Order['id']", "number", "interface Order { id: number }"],
  ["Color", "Color", "enum Color { Red = 'r', Green = 'g' }"],
  ["Level", "Level", "enum Level { A, B, C = 5, D }"],
];

for (const [type, wanted, declarations] of TYPES) {
  test(`readSignature() reads ${type}${declarations ? ` of ${declarations}` : ""} as ${wanted}`, () => {
    const signature = signatureOf(type, declarations);
    assert.equal(describeType(shapeOf(signature)), wanted);
    assert.deepEqual(signature.warnings, []);
  });
}

const UNREADABLE: readonly [type: string, warning: RegExp, declarations?: string][] = [
  ["WeakMap<object, number>", /2: Type "WeakMap<object, number>" is taken as unknown/],
  ["Promise<number>", /"Promise<number>"/],
  ["T extends string ? 1 : 2", /is taken as unknown/],
  ["typeof x", /"typeof x"/],
  ["1n", /"1n"/],
  ["`a${string}`", /is taken as unknown/],
  ["Missing", /Type "Missing" is taken as unknown/],
  ["A.B", /"A.B"/],
  [
    "Order",
    /"Order" is imported and taken as unknown: the place of the importing file is not known/,
    'import type { Order } from "./order.ts";',
  ],
  ["Thing", /Type "Thing" is a class/, "class Thing {}"],
  ["() => void", /"\(\) => void"/],
  ["number[] & { brand: 1 }", /taken as unknown/],
  ["'a' & 'b'", /taken as unknown/],
  ["{ a: 'x' } & { a: 'y' }", /taken as unknown/],
  ["Context", /Type "Context" is taken as unknown/],
  [
    "Context",
    /imported and taken as unknown: only files imported by a relative path/,
    'import type { Context } from "other";',
  ],
  ["E", /computed members/, "enum E { A = Math.random() }"],
  ["Loop", /"Loop" only refers to itself/, "type Loop = Loop;"],
  ["Loop", /"Loop" only refers to itself/, "type Loop = Other; type Other = Loop;"],
];

for (const [type, warning, declarations] of UNREADABLE) {
  const after = declarations ? ` after ${declarations}` : "";
  test(`readSignature() warns and takes ${type} as unknown${after}`, () => {
    const signature = signatureOf(type, declarations);
    assert.deepEqual(shapeOf(signature), { type: "unknown" });
    assert.match(messagesOf(signature), warning);
  });
}

test("readSignature() adds the members of base interfaces", () => {
  const shape = shapeOf(signatureOf(
    "Order",
    `interface Base<T> { id: T; note?: string }
     interface Order extends Base<bigint> { /** In cents. */ price: number }
     interface Order { extra: boolean }`,
  ));
  assert.ok(shape.type === "object");
  assert.deepEqual(
    shape.members.map(({ name, isOptional, shape }) => [name, describeType(shape), isOptional]),
    [
      ["id", "bigint", false],
      ["note", "string", true],
      ["price", "number", false],
      ["extra", "boolean", false],
    ],
  );
  assert.equal(shape.members[2]?.doc, "In cents.");
});

test("readSignature() reads a type that contains itself once", () => {
  const signature = signatureOf("Tree", "interface Tree { value: number; children: Tree[] }");
  assert.deepEqual(signature.warnings, []);
  assert.deepEqual(shapeOf(signature), { type: "ref", name: "Tree" });
  const tree = signature.definitions?.Tree;
  assert.ok(tree?.type === "object");
  assert.deepEqual(tree.members[1]?.shape, {
    type: "array",
    element: { type: "ref", name: "Tree" },
  });
});

test("readSignature() ends when a generic type grows at each step", () => {
  const signature = signatureOf("Grow<number>", "type Grow<T> = { next?: Grow<T[]>; value: T };");
  assert.match(messagesOf(signature), /nested too deeply/);
});

test("readSignature() ends when a type needs its own members", () => {
  const signature = signatureOf("Node", "interface Node { id: number; part?: Partial<Node>[] }");
  assert.ok(shapeOf(signature).type === "object" || shapeOf(signature).type === "ref");
});

test("readSignature() ends when aliases double at each step", () => {
  const steps = Array.from({ length: 40 }, (_, n) => `type T${n + 1} = [T${n}, T${n}];`);
  const signature = signatureOf("T40", `type T0 = number;\n${steps.join("\n")}`);
  assert.match(messagesOf(signature), /too many to read/);
});
