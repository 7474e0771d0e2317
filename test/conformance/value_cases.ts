import assert from "node:assert/strict";
import { convertArguments } from "../../src/core/arguments/convert.ts";
import { decodeResults } from "../../src/core/arguments/decode_results.ts";
import { encodeJson, encodeResults } from "../../src/core/arguments/encode.ts";
import { readSignature } from "../../src/jobs/types/read_signature.ts";
import { sourceOf, TYPE_TABLE } from "../support/type_table.ts";
import { completed, type StoreCases } from "../../src/conformance/world/store_world.ts";

/** A URL has no members to compare. */
function comparable(value: unknown): unknown {
  return value instanceof URL ? `URL ${value.href}` : value;
}

/** Every value of the table of types, with its signature and the argument as it is stored. */
function storedValues() {
  return TYPE_TABLE.flatMap((row) => {
    const signature = readSignature(sourceOf(row));
    return row.good.map(([given, wanted]) => {
      const converted = convertArguments(signature, [given]);
      const what = `a value of ${row.type}`;
      const argumentsJson = encodeJson(converted, { bytesMax: 100_000, what, isExact: true });
      return { row, signature, wanted, argumentsJson };
    });
  });
}

export const valueCases: StoreCases = {
  "enqueue() and settle() keep arguments and results of every type": async (world) => {
    const values = storedValues();
    const added = await world.add(...values.map(({ argumentsJson }) => ({ argumentsJson })));
    const claimed = await world.claim(values.length);
    assert.equal(claimed.length, values.length);
    const byId = new Map(claimed.map((instance) => [instance.id, instance]));
    for (const [index, { row, signature, wanted, argumentsJson }] of values.entries()) {
      const instance = byId.get(added[index]!.id)!;
      assert.equal(instance.argumentsJson, argumentsJson, row.type);
      const [revived] = convertArguments(signature, JSON.parse(instance.argumentsJson));
      assert.deepEqual(comparable(revived), comparable(wanted), row.type);

      const resultsJson = encodeResults(revived, signature.resultCount);
      await world.settle(instance, { outcome: completed(resultsJson) });
      const [{ resultsJson: kept = null } = {}] =
        (await world.store.list({ ids: [instance.id] }, { limit: 1 })).items;
      assert.equal(kept, resultsJson, row.type);
      const results = decodeResults(kept!, signature);
      const isMany = Array.isArray(wanted) && signature.resultCount !== 1;
      assert.deepEqual(comparable(isMany ? results : results[0]), comparable(wanted), row.type);
    }
  },
};
