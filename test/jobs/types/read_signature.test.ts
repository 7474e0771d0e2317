import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import { JobError } from "../../../src/core/errors.ts";
import { parseParams, readSignature } from "../../../src/jobs/types/read_signature.ts";

const EXPORTS: readonly [name: string, source: string][] = [
  ["a function declaration", "export default function sum(x: number, y?: number) {}"],
  ["an async function", "export default async function sum(x: number, y?: number) {}"],
  ["an anonymous function", "export default function (x: number, y?: number) {}"],
  ["a function in brackets", "export default (function (x: number, y?: number) {});"],
  ["an arrow function", "export default async (x: number, y?: number) => {};"],
  ["a name of a function", "function sum(x: number, y?: number) {}\nexport default sum;"],
  ["a name before its function", "export default sum;\nfunction sum(x: number, y?: number) {}"],
  ["a constant", "const sum = (x: number, y?: number) => {};\nexport default sum;"],
  [
    "an exported constant",
    "export const sum = (x: number, y?: number) => {};\nexport default sum;",
  ],
  ["export as default", "const sum = (x: number, y?: number) => {};\nexport { sum as default };"],
  [
    "a constant with a function type",
    "const sum: (x: number, y?: number) => void = (a, b) => {};\nexport default sum;",
  ],
  [
    "a constant with a named type",
    "type Sum = (x: number, y?: number) => void;\nconst sum: Sum = (a, b) => {};\nexport default sum;",
  ],
  ["an object with a method", "export default { kind: 'sum', run(x: number, y?: number) {} };"],
  ["an object with an async method", "export default { async run(x: number, y?: number) {} };"],
  ["an object with an arrow", "export default { run: (x: number, y?: number) => {} };"],
  ["an object with a name", "const run = (x: number, y?: number) => {};\nexport default { run };"],
  ["a constant object", "const job = { run(x: number, y?: number) {} };\nexport default job;"],
  ["satisfies", "export default { run(x: number, y?: number) {} } satisfies object;"],
  ["as const", "export default { run(x: number, y?: number) {} } as const;"],
  [
    "defineJob",
    "import { defineJob } from 'ts-job';\nexport default defineJob({ run(x: number, y?: number) {} });",
  ],
  [
    "defineJob under another name",
    "import { defineJob as job } from 'ts-job';\nexport default job({ run: (x: number, y?: number) => {} });",
  ],
  ["a params text", "export default { params: 'x: number, y?: number', run: make() };"],
  [
    "overloads",
    "export default function sum(x: string): void;\nexport default function sum(x: number, y?: number) {}",
  ],
  [
    "an array",
    "export default [{ kind: 'other', run(a: Date) {} }, { kind: 'sum', run(x: number, y?: number) {} }];",
  ],
  [
    "an array of names",
    "const KIND = 'sum';\nconst job = { kind: KIND, run(x: number, y?: number) {} };\nexport default [job];",
  ],
];

for (const [name, source] of EXPORTS) {
  test(`readSignature() finds the function when the default export is ${name}`, () => {
    const signature = readSignature(source, { entry: "sum" });
    assert.equal(describeSignature("sum", signature), "sum <x: number> [y: number]");
    assert.equal(signature.isTyped, true);
    assert.deepEqual(signature.warnings, []);
  });
}

const NOT_FOUND: readonly [name: string, source: string, warning: RegExp][] = [
  ["nothing is exported", "const x = 1;", /no default export/],
  ["it is passed on", "export { default } from './x.ts';", /passed on from ".\/x.ts"/],
  [
    "it is imported",
    "import run from './x.ts';\nexport default run;",
    /"run" is imported and not read/,
  ],
  ["it is made by a call", "export default make();", /not in its source/],
  ["it is a let", "let run = (x: number) => {};\nexport default run;", /not in its source/],
  ["run is spread", "export default { ...base };", /"run" of the job is not in its source/],
  ["the array lacks the kind", "export default [{ kind: 'a', run() {} }];", /"sum" is not found/],
  ["names go in circles", "const a = b;\nconst b = a;\nexport default a;", /not in its source/],
];

for (const [name, source, warning] of NOT_FOUND) {
  test(`readSignature() is untyped with a warning when ${name}`, () => {
    const signature = readSignature(source, { entry: "sum" });
    assert.equal(signature.isTyped, false);
    assert.match(signature.warnings.map(({ message }) => message).join("\n"), warning);
  });
}

const PARAMETERS: readonly [params: string, wanted: string, declarations?: string][] = [
  ["", "k"],
  ["x = 5", "k [x: number = 5]"],
  ["x = -5", "k [x: number = -5]"],
  ["x = 'a'", "k [x: string = 'a']"],
  ["x = true", "k [x: boolean = true]"],
  ["x = new Date()", "k [x: Date = new Date()]"],
  ["x: number | null = null", "k [x: number | null = null]"],
  ["x?: number", "k [x: number]"],
  ["...xs: number[]", "k [...xs: number]"],
  ["x: string, ...xs: (number | string)[]", "k <x: string> [...xs: number | string]"],
  ["{ a, b }: { a: number; b: string }", "k <{ a: number; b: string }>"],
  ["{ a }: Order", "k <order: Order>", "interface Order { a: number }"],
  ["{ a }: { a?: number } = {}", "k [{ a?: number } = {}]"],
  ["[a, b]: [number, number]", "k <argument1: [number, number]>"],
  ["this: unknown, x: number", "k <x: number>"],
  ["ctx: Context, x: number", "k <x: number>", 'import type { Context } from "ts-job";'],
  ["ctx: C, x: number", "k <x: number>", 'import type { Context as C } from "ts-job";'],
  ["ctx: job.Context, x: number", "k <x: number>", 'import type * as job from "ts-job";'],
  ['ctx: import("ts-job").Context, x: number', "k <x: number>"],
  [
    "{ log, signal }: Context, x: number",
    "k <x: number>",
    'import { type Context } from "ts-job";',
  ],
  ["x: number, signal: AbortSignal", "k <x: number>"],
  ["x: number, signal?: AbortSignal", "k <x: number>"],
  ["signal: AbortSignal", "k <signal: AbortSignal>", "interface AbortSignal { a: number }"],
];

for (const [params, wanted, declarations] of PARAMETERS) {
  test(`readSignature() reads the parameters (${params})${declarations ? " after " + declarations : ""}`, () => {
    const signature = readSignature(
      `${declarations ?? ""}\nexport default function (${params}) {}`,
    );
    assert.equal(describeSignature("k", signature), wanted);
    assert.equal(signature.isTyped, true);
    assert.deepEqual(signature.warnings, []);
  });
}

test("readSignature() reads every injected type where it stands", () => {
  const { parameters } = readSignature(
    `import type { Context, Instance, Manager, Worker } from "ts-job";
     export default (a: Context, x: number, b: Instance, c: Manager, d: Worker, e: AbortSignal) => {};`,
  );
  assert.deepEqual(
    parameters.map((each) => each.role === "injected" ? each.inject : each.name),
    ["Context", "x", "Instance", "Manager", "Worker", "AbortSignal"],
  );
});

test("readSignature() gives each parameter a name of its own", () => {
  const source = "interface O { a: 1 }\nexport default ({ a }: O, { a: b }: O, o: number) => {};";
  assert.deepEqual(readSignature(source).parameters.map((each) => each.name), ["o", "o2", "o3"]);
});

test("readSignature() keeps the names but no types when no parameter has one", () => {
  const signature = readSignature("export default function (a, b) {}", { language: "js" });
  assert.equal(signature.isTyped, false);
  assert.deepEqual(signature.parameters.map((each) => each.name), ["a", "b"]);
});

test("readSignature() takes type parameters of the function as unknown", () => {
  const signature = readSignature("export default function <T>(x: T, y: number) {}");
  assert.equal(describeSignature("k", signature), "k <x: unknown> <y: number>");
});

test("readSignature() does not take a type parameter for a type of the same name", () => {
  const source = "interface T { a: 1 }\nexport default function <T>(x: T, y: number) {}";
  assert.equal(describeSignature("k", readSignature(source)), "k <x: unknown> <y: number>");
});

const RESULTS: readonly [result: string, count: number | null, declarations?: string][] = [
  ["", null],
  [": void", 0],
  [": undefined", 0],
  [": never", 0],
  [": number", 1],
  [": number[]", 1],
  [": number | undefined", 1],
  [": unknown", 1],
  [": [number, string]", 2],
  [": readonly [a: number, b: string, c: Date]", 3],
  [": Promise<void>", 0],
  [": Promise<number>", 1],
  [": Promise<[number, string]>", 2],
  [": Promise<Pair>", 2, "type Pair = [number, number];"],
  [": Nothing", 0, "type Nothing = void;"],
  [": Promise<Map<string, number>>", 1],
];

for (const [result, count, declarations] of RESULTS) {
  test(`readSignature() counts ${count} results of (x: number)${result}`, () => {
    const source = `${declarations ?? ""}\nexport default function (x: number)${result} {}`;
    const signature = readSignature(source);
    assert.equal(signature.resultCount, count);
    assert.equal(signature.resultText, result === "" ? undefined : result.slice(2));
    assert.deepEqual(signature.warnings, []);
  });
}

test("readSignature() reads doc comments of the job and its parameters", () => {
  const { doc, parameters } = readSignature(`
    /**
     * Adds numbers.
     *
     * @param x the first
     * @param y - the second
     */
    export default function sum(x: number, y: number): number { return x + y; }
  `);
  assert.equal(doc?.split("\n")[0], "Adds numbers.");
  assert.deepEqual(
    parameters.map((each) => each.role === "argument" ? each.doc : null),
    ["the first", "the second"],
  );
});

test("readSignature() reads the doc comment of a constant", () => {
  const source = "/** Sums. */\nconst a = (x: number) => x;\nexport default a;";
  assert.equal(readSignature(source).doc, "Sums.");
});

test("readSignature() names file, line and column of a syntax error", () => {
  const source = "const a = 1;\nexport default (x: ) => {};";
  assert.throws(() => readSignature(source, { file: "jobs/a.ts" }), (error) => {
    assert.ok(error instanceof JobError);
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /^Cannot parse jobs\/a\.ts:2:20: \S/);
    return true;
  });
});

test("readSignature() answers or refuses when the source is nested without end", () => {
  const type = `${"[".repeat(20_000)}number${"]".repeat(20_000)}`;
  for (
    const source of [`export default ${"(".repeat(100_000)}`, `export default (x: ${type}) => {};`]
  ) {
    try {
      readSignature(source);
    } catch (error) {
      assert.ok(error instanceof JobError, String(error));
    }
  }
});

test("readSignature() refuses types when the language is JavaScript", () => {
  const source = "export default (x: number) => {};";
  assert.throws(() => readSignature(source, { language: "js" }), JobError);
});

const PARAMS: readonly [text: string, wanted: string][] = [
  ["x: number, y?: string", "k <x: number> [y: string]"],
  ["ctx: Context, x: Date, signal: AbortSignal", "k <x: Date>"],
  ["", "k"],
  ["x: number // the first", "k <x: number>"],
  ["x: number,", "k <x: number>"],
];

for (const [text, wanted] of PARAMS) {
  test(`parseParams() reads ${JSON.stringify(text)}`, () => {
    assert.equal(describeSignature("k", parseParams(text)), wanted);
  });
}

const BAD_PARAMS = [
  "x: ",
  "x: number)",
  ") => {}; evil(",
  "a) => (b",
  "a) => {}, (b",
  "a): void => {};\nexport const y = (b",
  "a) => {};\nfunction f(b",
  "1",
];

for (const text of BAD_PARAMS) {
  test(`parseParams() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseParams(text), (error) => {
      assert.ok(error instanceof JobError);
      assert.equal(error.path, "params");
      assert.ok(error.message.startsWith(`Cannot read params ${JSON.stringify(text)}: it is `));
      return true;
    });
  });
}

test("readSignature() does not take a getter for the function that it answers", () => {
  const signature = readSignature("export default { get run() { return (x: number) => x; } };");
  assert.equal(signature.isTyped, false);
  assert.match(signature.warnings[0]!.message, /"run" of the job is not in its source/);
});
