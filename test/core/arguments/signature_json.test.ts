import assert from "node:assert/strict";
import test from "node:test";
import { decodeSignature, encodeSignature } from "../../../src/core/arguments/signature_json.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";

const SOURCE = `
interface Tree_node { readonly nodeName: string; readonly is_rest?: boolean; readonly childNodes?: Tree_node[] }
enum LogLevel { isRest = "isRest", isOptional = 2 }
/** Makes a report. */
export default function report(
  day: string,
  { dryRun = false, max_rows }: { dryRun?: boolean; max_rows?: number } = {},
  isTyped?: Tree_node,
  pair: [firstName: "isPattern", last_name?: LogLevel] = ["isPattern"],
  options: Record<string, Date> = { isOptional: new Date(0), is_rest: new Date(0) },
  ...restValues: number[]
): [number, string] { return [1, day]; }
`;
const SIGNATURE = readSignature(SOURCE);

/** Every name of a member in a JSON value. */
function namesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return [...own, ...Object.values(value).flatMap(namesIn)];
}

test("encodeSignature() names its members in snake case, and keeps the names of the source", () => {
  const { definitions, ...others } = JSON.parse(encodeSignature(SIGNATURE));
  assert.deepEqual(namesIn(others).filter((name) => /[A-Z]/.test(name)), []);
  assert.deepEqual(Object.keys(definitions), ["Tree_node"]);
  const [, options, tree, pair, record, rest] = others.parameters;
  assert.deepEqual([options.is_optional, options.is_pattern], [true, true]);
  assert.deepEqual(
    options.shape.members.map(({ name }: { name: string }) => name),
    ["dryRun", "max_rows"],
  );
  assert.deepEqual([tree.name, tree.shape.name], ["isTyped", "Tree_node"]);
  assert.deepEqual(pair.shape.elements[0].shape, { type: "literal", value: "isPattern" });
  assert.equal(record.default_text, "{ isOptional: new Date(0), is_rest: new Date(0) }");
  assert.deepEqual([rest.name, rest.is_rest], ["restValues", true]);
  assert.deepEqual([others.result_count, others.is_typed], [2, true]);
});

test("decodeSignature() reads what encodeSignature() writes, with every name of the source", () => {
  const plain = JSON.parse(JSON.stringify(SIGNATURE));
  assert.deepEqual(decodeSignature(JSON.parse(encodeSignature(SIGNATURE))), plain);
  const named = {
    ...plain,
    definitions: { is_rest: { type: "null" }, isRest: { type: "url" } },
  };
  const read = decodeSignature(JSON.parse(encodeSignature(named)));
  assert.deepEqual(read, named);
});

test("decodeSignature() returns null for what is not a signature", () => {
  for (const value of [undefined, null, 1, "{}", [], {}, { parameters: [] }, { warnings: [] }]) {
    assert.equal(decodeSignature(value), null);
  }
});
