import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeClocks } from "../../../src/store/replica/node_clocks.ts";

interface Node {
  readonly name: string;
  /** Its clock minus the true one. */
  readonly offMs: number;
  readonly clocks: NodeClocks;
}

/**
 * Nodes with clocks off by this much, each of which has reported twice to all others with some
 * delay.
 */
function worldOf(offsets: readonly number[], wayMs: number): readonly Node[] {
  const nodes = offsets.map((offMs, index) => ({
    name: `n${index}`,
    offMs,
    clocks: new NodeClocks(`n${index}`, 1_000),
  }));
  for (let round = 1; round <= 2; round += 1) {
    for (const from of nodes) {
      const sentMs = round * 10_000;
      const report = from.clocks.report(sentMs + from.offMs, false);
      for (const to of nodes) to.clocks.heard(from.name, report, sentMs + wayMs + to.offMs);
    }
  }
  return nodes;
}

const stopped = (nodes: readonly Node[]) =>
  nodes.filter(({ clocks }) => clocks.problem() !== null).map(({ name }) => name);

test("problem() is the odd one's of three, ahead or behind", () => {
  assert.deepEqual(stopped(worldOf([0, 0, 20_000], 5)), ["n2"]);
  assert.deepEqual(stopped(worldOf([0, -20_000, 0], 5)), ["n1"]);
  const [, , odd] = worldOf([0, 0, 20_000], 5);
  assert.deepEqual(odd!.clocks.problem(), { aheadMs: 19_995, peers: ["n0", "n1"] });
});

test("problem() is null at the limit, and there just past it", () => {
  assert.deepEqual(stopped(worldOf([0, 0, 1_000], 0)), []);
  assert.deepEqual(stopped(worldOf([0, 0, 1_001], 0)), ["n2"]);
  assert.deepEqual(stopped(worldOf([0, 0, -1_001], 0)), ["n2"]);
});

test("problem() is both nodes' when there are two: none knows who is right", () => {
  assert.deepEqual(stopped(worldOf([0, 5_000], 5)), ["n0", "n1"]);
  assert.deepEqual(stopped(worldOf([0], 5)), []);
});

test("problem() never comes of reports that take long", () => {
  assert.deepEqual(stopped(worldOf([0, 0, 0], 60_000)), []);
  assert.deepEqual(stopped(worldOf([0, 0, 900], 60_000)), []);
});

test("problem() ends when the peer that is off goes, or the clock is set", () => {
  const [first] = worldOf([0, 5_000], 5);
  first!.clocks.gone("n1");
  assert.equal(first!.clocks.problem(), null);
  const [again] = worldOf([0, 5_000], 5);
  again!.clocks.forget();
  assert.equal(again!.clocks.problem(), null);
  assert.equal(again!.clocks.haveAllReported, false);
  again!.clocks.heard("n1", { at: 30_000, heard: { n0: 3 }, asks: false }, 30_002);
  assert.equal(again!.clocks.haveAllReported, true);
  assert.equal(again!.clocks.problem(), null);
});

test("skewOf() is the difference of each clock from the median", () => {
  const [first] = worldOf([0, 0, 20_000], 5);
  assert.deepEqual(
    ["n0", "n1", "n2", "n3"].map((name) => first!.clocks.skewOf(name)),
    [0, 0, 19_995, null],
  );
});
