import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { convertArguments } from "../../../src/core/arguments/convert.ts";
import { decodeResults } from "../../../src/core/arguments/decode_results.ts";
import { describeType } from "../../../src/core/arguments/describe.ts";
import { encodeJson, encodeResults } from "../../../src/core/arguments/encode.ts";
import { JobError } from "../../../src/core/errors.ts";
import { SCHEMA_DIALECT, signatureSchema } from "../../../src/core/arguments/json_schema.ts";
import { parseJson } from "../../../src/core/arguments/json_text.ts";
import type { Signature } from "../../../src/core/arguments/signature.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { checkSchema, validate } from "../../support/json_schema.ts";
import { sourceOf, TYPE_TABLE, type TypeRow } from "../../support/type_table.ts";

const SIGNATURES = new Map(TYPE_TABLE.map((row) => [row, readSignature(sourceOf(row))]));

function signatureOf(row: TypeRow): Signature {
  return SIGNATURES.get(row)!;
}

function convert(row: TypeRow, value: unknown): unknown {
  return convertArguments(signatureOf(row), [value], { kind: "job" })[0];
}

function encode(value: unknown): string {
  return encodeJson(value, { bytesMax: 1_000_000, what: "the arguments", isExact: true });
}

/** As values are told apart: a URL has no members to compare. */
function comparable(value: unknown): unknown {
  return value instanceof URL ? `URL ${value.href}` : value;
}

function shown(value: unknown): string {
  return value instanceof Map || value instanceof Set
    ? `${value.constructor.name} ${shown([...value])}`
    : typeof value === "number"
    ? String(value)
    : encodeJson(value, { bytesMax: 1_000, what: "a value" });
}

test("the table has more than 60 types", () => {
  assert.ok(TYPE_TABLE.length > 60, `${TYPE_TABLE.length}`);
});

for (const row of TYPE_TABLE) {
  test(`readSignature() reads ${row.type}`, () => {
    const signature = signatureOf(row);
    assert.deepEqual(signature.warnings, []);
    const [parameter] = signature.parameters;
    assert.ok(parameter?.role === "argument");
    assert.equal(describeType(parameter.shape), row.shown ?? row.type);
    // It goes to workers and clients as JSON.
    assert.deepEqual(JSON.parse(JSON.stringify(signature)), JSON.parse(encode(signature)));
  });

  for (const [given, wanted] of row.good) {
    test(`${row.type} takes ${typeof given} ${shown(given)}`, () => {
      const converted = convert(row, given);
      assert.deepEqual(comparable(converted), comparable(wanted));
      // What is stored becomes the same value again, in a worker and at the next restart.
      const stored = encode([converted]);
      const [revived] = convertArguments(signatureOf(row), JSON.parse(stored), { kind: "job" });
      assert.deepEqual(comparable(revived), comparable(wanted));
      assert.equal(encode([revived]), stored);
      const schema = signatureSchema("job", signatureOf(row));
      assert.deepEqual(validate(schema, { x: JSON.parse(stored)[0] }), []);
    });
  }

  for (const [given, problem] of row.bad) {
    test(`${row.type} refuses ${typeof given} ${shown(given)}`, () => {
      assert.throws(() => convert(row, given), (error) => {
        assert.ok(error instanceof JobError, String(error));
        assert.equal(error.code, "invalid_argument");
        assert.ok(error.message.includes(problem), error.message);
        assert.ok(error.path?.startsWith("x"), error.message);
        return true;
      });
    });
  }

  test(`the JSON Schema of ${row.type} is one of draft 2020-12`, () => {
    const schema = signatureSchema("job", signatureOf(row));
    assert.equal(schema.$schema, SCHEMA_DIALECT);
    checkSchema(schema);
  });

  test(`a result of ${row.type} is encoded so that it becomes the same value again`, () => {
    const signature = signatureOf(row);
    assert.ok(signature.result !== undefined);
    // A function of no results has none.
    for (const [, wanted] of signature.resultCount === 0 ? [] : row.good) {
      const decoded = decodeResults(encodeResults(wanted, signature.resultCount), signature);
      const isMany = Array.isArray(wanted) && (signature.resultCount ?? 0) > 1;
      assert.deepEqual(comparable(isMany ? decoded : decoded[0]), comparable(wanted));
    }
  });
}

/** Anything that a client can send: JSON values, and text of all kinds. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constantFrom(
    "1",
    "0",
    "-1",
    "1.5",
    "true",
    "null",
    "1h",
    "eu",
    "AQL/",
    "High",
    "2026-01-01",
    "2026-01-01T00:00:00.000Z",
    "1767225600000",
    "https://a.b/",
    "9007199254740993",
    '{"__proto__":1}',
    '{"kind":"circle","r":1}',
    '{"id":1,"note":"x"}',
    "[1,2]",
    '[["a",1]]',
  ),
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
  }),
);
const anyRow = fc.constantFrom(...TYPE_TABLE);
const mixed = fc.tuple(anyRow, anything, fc.nat()).map(([row, value, pick]) => {
  const given = row.good[pick % row.good.length]?.[0];
  return { row, value: pick % 3 === 0 ? given : value };
});

test("conversion is total: any value converts or is refused with a JobError that names the parameter", () => {
  fc.assert(
    fc.property(anyRow, anything, (row, value) => {
      try {
        convert(row, value);
      } catch (error) {
        assert.ok(error instanceof JobError, String(error));
        assert.equal(error.code, "invalid_argument");
        assert.ok(error.path?.startsWith("x"), error.message);
      }
    }),
    { numRuns: 5_000, seed: 11 },
  );
});

test("conversion is idempotent: the encoded value converts to the same", () => {
  let count = 0;
  fc.assert(
    fc.property(mixed, ({ row, value }) => {
      let first: unknown[];
      let stored: string;
      try {
        first = convertArguments(signatureOf(row), [value], { kind: "job" });
        stored = encode(first);
      } catch (error) {
        assert.ok(error instanceof JobError, String(error));
        return;
      }
      count++;
      // As a worker reads it, and as a client would that sends it again.
      const second = convertArguments(signatureOf(row), JSON.parse(stored));
      assert.equal(encode(second), stored);
      const again = convertArguments(signatureOf(row), parseJson(stored) as unknown[]);
      assert.equal(encode(again), stored);
      // What is of no known type is what JSON makes of it.
      if (/any|unknown|object/.test(row.type)) return;
      assert.equal(comparable(second[0])?.constructor, comparable(first[0])?.constructor);
    }),
    { numRuns: 5_000, seed: 12 },
  );
  assert.ok(count > 1_000, `${count}`);
});

test("conversion is quick for a value that a nested union could try without end", () => {
  const signature = readSignature(
    "type T = { a: T | number; x?: 1 } | { a: T | number; y?: 2 };\nexport default (x: T) => {};",
  );
  let value: unknown = { a: "wrong" };
  for (let depth = 0; depth < 150; depth++) value = { a: value };
  const started = performance.now();
  assert.throws(() => convertArguments(signature, [value]), JobError);
  assert.ok(performance.now() - started < 20_000);
});

test("conversion refuses values nested deeper than JSON is written", () => {
  const signature = readSignature(
    "interface Tree { kids: Tree[] }\nexport default (x: Tree) => {};",
  );
  let value: unknown = { kids: [] };
  for (let depth = 0; depth < 5_000; depth++) value = { kids: [value] };
  assert.throws(() => convertArguments(signature, [value]), /nested more than 200 levels/);
  const circle: { kids: unknown[] } = { kids: [] };
  circle.kids.push(circle);
  assert.throws(() => convertArguments(signature, [circle]), /nested more than 200 levels/);
});
